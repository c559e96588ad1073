"""Clearing: copies of what is redacted that stand in other tables, and how their owners have them cleared.

Each package says how to find its own copies, by ``register``; a finder yields what is to be written instead, and it
is written here, in the transaction of the redaction. Must not know whose tables they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from django.db import models, router
from django.db.backends.base.base import BaseDatabaseWrapper

#: One row that holds a copy: its model, its key, and what its columns become; ``None`` removes the row.
Change: TypeAlias = tuple[type[models.Model], Any, Mapping[str, Any] | None]


@dataclass(frozen=True, slots=True)
class Erased:
    """What was redacted in one entry."""

    entry_hash: str
    model_label: str
    object_pk: str
    fields: tuple[str, ...]
    """The names of the fields that are gone now, sorted."""


class Subject(Protocol):
    """The person whose data are to go."""

    @property
    def id(self) -> str:
        """The user's key as text: how ``actor_id`` names the person."""

    def named_in(self, text: str) -> bool:
        """Whether a text names the person."""

    def may_be_named_in(self, raw: str) -> bool:
        """False only when no text inside this JSON names the person; faster than reading it."""


class FindByEntries(Protocol):
    """Finds the copies of redacted fields."""

    def __call__(self, using: str, erased: Sequence[Erased], /) -> Iterable[Change]: ...


class FindByRecord(Protocol):
    """Finds the copies of anything in one record's entries."""

    def __call__(self, using: str, model_label: str, object_pk: str, /) -> Iterable[Change]: ...


class FindByPerson(Protocol):
    """Finds what tells of a person."""

    def __call__(self, using: str, person: Subject, /) -> Iterable[Change]: ...


_by_entries: dict[str, FindByEntries] = {}
_by_record: dict[str, FindByRecord] = {}
_by_person: dict[str, FindByPerson] = {}


def register(
    name: str,
    *,
    entries: FindByEntries | None = None,
    record: FindByRecord | None = None,
    person: FindByPerson | None = None,
) -> Callable[[], None]:
    """Have copies found by these functions whenever something is redacted; returns what takes it back.

    ``entries`` is asked at every redaction, ``record`` when a record is redacted as a whole or purged, ``person``
    when everything about one person is. Each runs in the open transaction and reads only; what it yields is written
    while it goes on, so it pages by key. The same name again replaces what it stood for.
    """
    tables: tuple[tuple[dict[str, Any], Any], ...] = (
        (_by_entries, entries),
        (_by_record, record),
        (_by_person, person),
    )
    for table, find in tables:
        table.pop(name, None)
        if find is not None:
            table[name] = find

    def unregister() -> None:
        for table, find in tables:
            if table.get(name) is find:
                table.pop(name, None)

    return unregister


def clear_entries(connection: BaseDatabaseWrapper, erased: Sequence[Erased], *, write: bool = True) -> int:
    """Clear the copies of redacted fields; how many rows had one. Without ``write`` they are only counted."""
    found = (find(connection.alias, erased) for find in _by_entries.values()) if erased else ()
    return sum(_clear(connection, changes, write) for changes in found)


def clear_record(
    connection: BaseDatabaseWrapper, model_label: str, object_pk: str, *, write: bool = True
) -> int:
    """Clear what other tables keep of one record's entries; how many rows there were."""
    return sum(
        _clear(connection, find(connection.alias, model_label, object_pk), write)
        for find in _by_record.values()
    )


def clear_person(connection: BaseDatabaseWrapper, person: Subject, *, write: bool = True) -> int:
    """Clear what other tables keep of one person; how many rows there were."""
    return sum(_clear(connection, find(connection.alias, person), write) for find in _by_person.values())


def _clear(connection: BaseDatabaseWrapper, changes: Iterable[Change], write: bool) -> int:
    count = 0
    for model, key, values in changes:
        count += 1
        if write:
            # Django's own queryset: that of an append-only model refuses, and the database's gate decides.
            row: models.QuerySet[Any] = models.QuerySet(model, using=connection.alias).filter(pk=key)
            if values is None:
                row.delete()
            else:
                row.update(**values)
    return count


def rows_of(model: type[models.Model], using: str, *columns: str, size: int = 1000) -> Iterable[Any]:
    """The rows of a table by key, a page at a time, as tuples of key and columns.

    None where the host's routers keep the table out of this database.
    """
    if not router.allow_migrate_model(using, model):
        return
    rows: models.QuerySet[Any] = models.QuerySet(model, using=using).order_by("pk")
    page = list(rows.values_list("pk", *columns)[:size])
    while page:
        yield from page
        page = list(rows.filter(pk__gt=page[-1][0]).values_list("pk", *columns)[:size])
