"""Rows that are written once and never changed, and how they name records and moments.

They outlive what they tell of: text keys, no foreign keys. Must not know what is recorded.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar, TypeVar
from uuid import UUID

from django.db import models

from fsm_lifecycle.exceptions import LifecycleError

E = TypeVar("E", bound=models.Model, covariant=True)


def key_text(key: Any) -> str:
    """A primary key as entries name it: a decimal integer, a lower-case hyphenated UUID, or the exact text."""
    if isinstance(key, UUID):
        return str(key)
    if isinstance(key, str):
        return str.__str__(key)
    return str(int(key))


def milliseconds(moment: datetime) -> datetime:
    """An aware time in UTC, cut to whole milliseconds: ``dumpdata`` keeps no more."""
    moment = moment.astimezone(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


class ImmutableEntry(LifecycleError):
    """Something tried to change or remove what is only ever added."""

    code = "immutable_entry"


class AppendOnlyQuerySet(models.QuerySet[E]):
    """A queryset of rows that are only ever added. The database refuses the same from elsewhere."""

    def update(self, **kwargs: Any) -> int:
        raise ImmutableEntry(f"{self.model.__name__} rows are never changed; nothing was updated.")

    def delete(self) -> tuple[int, dict[str, int]]:
        raise ImmutableEntry(f"{self.model.__name__} rows are never removed; nothing was deleted.")

    def bulk_update(self, objs: Any, fields: Any, batch_size: int | None = None) -> int:
        raise ImmutableEntry(f"{self.model.__name__} rows are never changed; nothing was updated.")

    def bulk_create(self, *args: Any, **kwargs: Any) -> list[E]:
        raise ImmutableEntry(
            f"{self.model.__name__} rows are written by the package alone; nothing was inserted."
        )


class AppendOnly(models.Model):
    """A row that is written once, by the package, and never changed."""

    redactable: ClassVar[tuple[str, ...]] = ()
    """The columns that may lose personal data: ``body`` keeps digests, others are emptied."""
    guarded: ClassVar[bool] = True
    """Whether the database itself refuses changes."""

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        raise ImmutableEntry(
            f"{type(self).__name__} rows are written by the package alone; nothing was saved. "
            f"To move a record, fire an event."
        )

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise ImmutableEntry(f"{type(self).__name__} rows are never removed; nothing was deleted.")
