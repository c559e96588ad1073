"""Families: models that share a state column by multi-table inheritance.

Must not know what is fired.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model, QuerySet

from fsm_lifecycle.engine.binding import Binding


def children_with_own_table(binding: Binding) -> list[type[Model]]:
    """Multi-table children whose transition table is not this model's, parents before their children."""
    return list(dict.fromkeys(_below(binding.model, binding)))


def _below(model: type[Model], binding: Binding) -> Iterator[type[Model]]:
    for child in model.__subclasses__():
        theirs: Binding | None = child.__dict__.get("_lifecycle")
        if theirs is None:
            if child._meta.abstract:  # its children have tables
                yield from _below(child, binding)
        # A model of another registry (a migration's, a test's) has no rows here.
        elif child._meta.apps is not binding.model._meta.apps:
            continue
        elif child._meta.proxy or theirs.table.declaration is binding.table.declaration:
            yield from _below(child, binding)
        else:
            yield child
            yield from _below(child, theirs)


def foreign_child(binding: Binding, connection: BaseDatabaseWrapper, key: Any) -> str:
    """Why a row cannot be fired through this model: it belongs to a child with its own table. Empty when it can.

    Costs one statement for each such child, and nothing where there is none.
    """
    if binding.children is None:
        binding.children = tuple(children_with_own_table(binding))
    for child in binding.children:
        if QuerySet(child, using=connection.alias).filter(pk=key).exists():
            name = child._meta.verbose_name
            return f"It is a {name} and follows that model's own lifecycle. Load it as {child.__name__} and fire there."
    return ""


def most_specific(binding: Binding, connection: BaseDatabaseWrapper, key: Any) -> Binding:
    """The binding of the child with its own table that a row belongs to, else the one given."""
    for child in children_with_own_table(binding):
        if QuerySet(child, using=connection.alias).filter(pk=key).exists():
            return most_specific(child._lifecycle, connection, key)  # type: ignore[attr-defined]
    return binding


def by_family(
    binding: Binding, connection: BaseDatabaseWrapper, rows: Sequence[Any]
) -> dict[Binding, list[Any]]:
    """Rows of the table that holds the state, under the binding whose transition table each follows."""
    if not children_with_own_table(binding):
        return {binding: list(rows)} if rows else {}
    groups: dict[Binding, list[Any]] = {}
    for row in rows:
        groups.setdefault(most_specific(binding, connection, row.pk), []).append(row)
    return groups
