"""What the database protects: tables that only grow, and tables whose state follows their lifecycle.

Computed from the models. Must not know how a database is told.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db import models, router

from fsm_lifecycle.append_only import AppendOnly


@dataclass(frozen=True, slots=True)
class AppendOnlyRule:
    """A table whose rows are never changed or removed."""

    table: str
    key: str
    """The column of the primary key."""
    columns: tuple[str, ...]
    texts: frozenset[str]
    """The columns that hold text."""
    unique: tuple[tuple[str, ...], ...]
    """The columns of each unique constraint, the key among them."""
    body: str | None = None
    """The column that a redaction may rewrite, keeping digests."""
    blankable: tuple[str, ...] = ()
    """The columns that a redaction may empty."""


@dataclass(frozen=True, slots=True)
class StateRule:
    """A table of records that move along the edges of their lifecycle, one sequence at a time."""

    table: str
    key: str
    state: str
    sequence: str
    head: str
    texts: frozenset[str]
    edges: frozenset[tuple[str, str]]
    """(from, to) pairs of stored values."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the guard looks at."""
        return (self.key, self.state, self.sequence, self.head)


Rule = AppendOnlyRule | StateRule


def rules(using: str) -> list[Rule]:
    """What is to be protected in one database, by the models and by the host's routers."""
    return [
        rule
        for model, rule in [*map(_append_only, append_only_models()), *_state_rules()]
        if router.allow_migrate_model(using, model)
    ]


def append_only_models() -> list[type[models.Model]]:
    """The models whose rows are only ever added, and that the database is to guard."""
    return [model for model in apps.get_models() if issubclass(model, AppendOnly) and model.guarded]


def _columns(model: type[models.Model]) -> tuple[dict[str, str], frozenset[str]]:
    """Column by attribute name, and the columns that hold text."""
    fields: list[Any] = list(model._meta.local_concrete_fields)
    kinds = (models.CharField, models.TextField)
    texts = frozenset(str(f.column) for f in fields if isinstance(getattr(f, "target_field", f), kinds))
    return {f.attname: str(f.column) for f in fields}, texts


def _append_only(model: type[Any]) -> tuple[type[models.Model], Rule]:
    names, texts = _columns(model)
    unique: list[tuple[str, ...]] = [(names[model._meta.pk.attname],)]
    unique += [(str(f.column),) for f in model._meta.local_concrete_fields if f.unique and not f.primary_key]
    unique += [tuple(names[n] for n in c.fields) for c in model._meta.total_unique_constraints]
    return model, AppendOnlyRule(
        table=model._meta.db_table,
        key=names[model._meta.pk.attname],
        columns=tuple(names.values()),
        texts=texts,
        unique=tuple(unique),
        body=names.get("body") if "body" in model.redactable else None,
        blankable=tuple(names[name] for name in model.redactable if name != "body"),
    )


def _state_rules() -> list[tuple[type[models.Model], Rule]]:
    """One for each table with a state column; the families that share it, proxies too, move by their own edges."""
    edges: dict[type[models.Model], set[tuple[str, str]]] = {}
    sharing: list[Any] = [model for model in apps.get_models() if hasattr(model, "_lifecycle")]
    for model in sharing:
        binding = model._lifecycle
        table = edges.setdefault(binding.owner, set())
        for event in binding.table.events.values():
            table.update((str(s), str(t)) for s in event.sources for t in event.targets)
    return [(owner, _state_rule(owner, frozenset(pairs))) for owner, pairs in edges.items()]


def _state_rule(owner: type[Any], edges: frozenset[tuple[str, str]]) -> StateRule:
    names, texts = _columns(owner)
    binding = owner._lifecycle
    return StateRule(
        table=owner._meta.db_table,
        key=binding.key_column,
        state=names[binding.field.attname],
        sequence=names["lifecycle_sequence"],
        head=names["lifecycle_head"],
        texts=texts,
        edges=edges,
    )
