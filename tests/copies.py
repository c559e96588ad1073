"""Owns databases of which a router knows more than one: copies that are read, and tables that stand elsewhere.

Must not know what is tested with them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connections

COPY = "copy"


class ReadsCopy:
    """Reads come from a copy of the database, which nobody writes to and ``migrate`` leaves alone."""

    def db_for_read(self, model: Any, **hints: Any) -> str:
        return COPY

    def db_for_write(self, model: Any, **hints: Any) -> str:
        return "default"

    def allow_relation(self, *args: Any, **hints: Any) -> bool:
        return True

    def allow_migrate(self, db: str, *args: Any, **hints: Any) -> bool:
        return db != COPY


class Elsewhere:
    """Some models have their tables in the other database alone."""

    def __init__(self, *names: str) -> None:
        self.names = names

    def db_for_read(self, model: Any, **hints: Any) -> str | None:
        return "other" if model._meta.model_name in self.names else None

    db_for_write = db_for_read

    def allow_relation(self, *args: Any, **hints: Any) -> bool:
        return True

    def allow_migrate(
        self, db: str, app_label: str, model_name: str | None = None, **hints: Any
    ) -> bool | None:
        return db == "other" if model_name in self.names else None


@contextmanager
def read_only_copy() -> Iterator[None]:
    """The alias ``copy``: the default database, which is SQLite's, opened for reading alone."""
    name = connections["default"].settings_dict["NAME"]
    connections.settings[COPY] = {
        **connections.settings["other"],
        "NAME": f"file:{name}?mode=ro",
        "OPTIONS": {"uri": True, "timeout": 20},
    }
    connections[COPY].connect()  # a test refuses databases that are opened later
    try:
        yield
    finally:
        connections[COPY].close()
        del connections[COPY], connections.settings[COPY]
