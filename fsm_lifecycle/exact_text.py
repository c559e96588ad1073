"""Text columns that identify: compared byte for byte on every database.

MariaDB and MySQL by default take ``draft``, ``DRAFT`` and ``draft `` for equal, also in unique constraints.
Must not know what is stored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

if TYPE_CHECKING:
    _CharField = models.CharField[Any, Any]
else:
    _CharField = models.CharField


def exact_collation(connection: BaseDatabaseWrapper) -> str | None:
    """The collation that compares bytes and pads nothing; ``None`` where that is the default."""
    if connection.vendor != "mysql":
        return None
    return "utf8mb4_nopad_bin" if getattr(connection, "mysql_is_mariadb", False) else "utf8mb4_0900_bin"


class ExactTextField(_CharField):
    """A ``CharField`` with a binary collation."""

    def db_parameters(self, connection: BaseDatabaseWrapper) -> dict[str, str | None]:
        parameters: dict[str, Any] = dict(super().db_parameters(connection))
        parameters["collation"] = exact_collation(connection)
        return parameters

    def deconstruct(self) -> Any:
        name, _, args, kwargs = super().deconstruct()
        return name, "fsm_lifecycle.fields.ExactTextField", args, kwargs
