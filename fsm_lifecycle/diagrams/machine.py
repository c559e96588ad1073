"""Owns what a diagram shows: one lifecycle as plain, hashable values, taken from a table once.

Must not know where anything is drawn, nor in which format.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, TypeAlias

from django.apps import apps
from django.db.models import Model

from fsm_lifecycle.definition import Event, Table
from fsm_lifecycle.definition.effects import Connection
from fsm_lifecycle.definition.member import in_words

#: Stands behind the label of an event that fires another record's.
MARK: Final = "↗"

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
class Fired:
    """An event of another record that an effect fires."""

    model: str
    """``"app.model"`` in lower case; empty where the table does not say."""
    event: str
    title: str
    """What the other record is called."""
    label: str
    """The event in words."""

    @property
    def said(self) -> str:
        """``“Activate” on Contract``."""
        return f"“{self.label}” on {self.title}"


@dataclass(frozen=True)
class Happening:
    """One event."""

    name: str
    label: str
    compensating: bool
    fires: tuple[Fired, ...] = ()

    @property
    def marked(self) -> str:
        """The label as it is drawn: with a mark where the event fires another record's."""
        return f"{self.label} {MARK}" if self.fires else self.label


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
    model: str
    """``"app.model"`` in lower case; empty for a table alone."""
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

    def fired(self) -> list[tuple[Happening, Fired]]:
        """Each event that fires another record's, with that one."""
        return [(event, fired) for event in self.events for fired in event.fires]

    def targets(self, event: str) -> list[int]:
        """Where an event may lead."""
        return list(dict.fromkeys(row.target for row in self.rows if self.events[row.event].name == event))


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
        Happening(name, one_line(str(e.label)), e.compensating, _fires(e)) for name, e in table.events.items()
    )
    where = {place.value: i for i, place in enumerate(places)}
    which = {event.name: i for i, event in enumerate(events)}
    rows = dict.fromkeys(
        Row(where[str(t.source)], which[t.event.name], where[str(t.target)]) for t in table.transitions
    )
    meta = getattr(subject, "_meta", None)
    model = str(meta.label_lower) if meta is not None else ""
    return Machine(one_line(title_of(subject)), model, table.fingerprint, places, events, tuple(rows))


def _fires(event: Event) -> tuple[Fired, ...]:
    found = (effect.connection for effect in event.effects)
    return tuple(dict.fromkeys(_fired(one) for one in found if one is not None))


def _fired(connection: Connection) -> Fired:
    model, title, label = connection.model, "another record", in_words(connection.event)
    if model:
        title = model.rpartition(".")[2]
        try:
            other = apps.get_model(model)
            title, declared = title_of(other), table_of(other).events.get(connection.event)
        except (LookupError, ValueError, TypeError):  # a table alone may name what is not installed
            declared = None
        label = str(declared.label) if declared is not None else label
    return Fired(model.lower(), connection.event, one_line(title), one_line(label))


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
