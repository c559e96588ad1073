"""Owns what a diagram shows: one lifecycle as plain, hashable values, taken from a table once.

Must not know where anything is drawn, nor in which format.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeAlias

from django.db.models import Model

from fsm_lifecycle.definition import Table
from fsm_lifecycle.definition.member import in_words

#: What every function here takes: a model with a lifecycle, one of its records, or a table.
Subject: TypeAlias = type[Model] | Model | Table


@dataclass(frozen=True)
class Place:
    """One state."""

    value: str
    label: str
    tone: str
    initial: bool
    terminal: bool


@dataclass(frozen=True)
class Happening:
    """One event."""

    name: str
    label: str
    compensating: bool


@dataclass(frozen=True)
class Row:
    """One row of the table, by index: an event leads from a source to a target."""

    source: int
    event: int
    target: int


@dataclass(frozen=True)
class Machine:
    """A lifecycle as it is drawn. Two machines that look the same are equal, and share one layout."""

    title: str
    """The model's name as people read it: “Invoice”."""
    fingerprint: str
    places: tuple[Place, ...]
    events: tuple[Happening, ...]
    rows: tuple[Row, ...]

    @cached_property
    def index(self) -> dict[str, int]:
        """Each state's value with its place in ``places``."""
        return {place.value: i for i, place in enumerate(self.places)}

    @cached_property
    def event_index(self) -> dict[str, int]:
        """Each event's name with its place in ``events``."""
        return {event.name: i for i, event in enumerate(self.events)}


def table_of(subject: Subject) -> Table:
    """The table of a model, a record, or itself. Raises ``TypeError`` for what has no lifecycle."""
    found = subject if isinstance(subject, Table) else getattr(subject, "lifecycle", None)
    if not isinstance(found, Table):
        raise TypeError(f"{subject!r} has no lifecycle. Pass a model with a nested Lifecycle, or its table.")
    return found


def title_of(subject: Subject) -> str:
    """What people call the records: “Invoice”. A table alone has no model, so its log's label or “Record” is used."""
    meta = getattr(subject, "_meta", None)
    if meta is not None:
        name = str(meta.verbose_name)
        return name[:1].upper() + name[1:]
    declared = table_of(subject).options.get("label")
    return in_words(declared.rpartition(".")[2]) if isinstance(declared, str) and declared else "Record"


def extract(subject: Subject) -> Machine:
    """The machine of a model or table. Labels are read in the language that is active now."""
    table = table_of(subject)
    places = tuple(
        Place(s.value, one_line(str(s.label)), s.tone, s.initial, s.terminal) for s in table.states.values()
    )
    events = tuple(
        Happening(name, one_line(str(e.label)), e.compensating) for name, e in table.events.items()
    )
    where = {place.value: i for i, place in enumerate(places)}
    which = {event.name: i for i, event in enumerate(events)}
    rows = dict.fromkeys(
        Row(where[str(t.source)], which[t.event.name], where[str(t.target)]) for t in table.transitions
    )
    return Machine(one_line(title_of(subject)), table.fingerprint, places, events, tuple(rows))


def outline(machine: Machine) -> Machine:
    """The same states with one row at most from each to each, whatever the event: where a record can go.

    A row is compensating where every event that leads there is.
    """
    found: dict[tuple[int, int], int] = {}
    for row in machine.rows:
        pair = row.source, row.target
        found[pair] = found.get(pair, 1) & machine.events[row.event].compensating
    rows = tuple(Row(source, undoes, target) for (source, target), undoes in found.items())
    return replace(machine, events=(Happening("on", "", False), Happening("back", "", True)), rows=rows)


def one_line(text: str) -> str:
    """A label on one line, without the control characters that no document format takes."""
    return " ".join("".join(c if c.isprintable() or c in _KEPT else " " for c in text).split())


#: Not printable by Python's measure, and yet part of a text: joiners and marks of direction.
_KEPT = "\u200c\u200d\u200e\u200f"
