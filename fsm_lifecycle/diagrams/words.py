"""Owns a diagram in words: its title, its description, and the rows of the table that says the same.

Must not know geometry.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from fsm_lifecycle.diagrams.journey import Move
from fsm_lifecycle.diagrams.machine import Machine, Subject, table_of

_NUMBERS = "No One Two Three Four Five Six Seven Eight Nine Ten Eleven Twelve".split()
_LONGEST_PATH = 20


class Alternative(NamedTuple):
    """One event, in words: a row of the table that stands beside a diagram."""

    event: str
    sources: tuple[str, ...]
    targets: tuple[str, ...]


def text_alternative(subject: Subject) -> list[Alternative]:
    """What the diagram of a model or table shows, one row for each event: labels of event, sources and targets."""
    table = table_of(subject)
    rows = []
    for event in table.events.values():
        taken = [row for row in table.transitions if row.event is event]
        sources = dict.fromkeys(str(row.source.label) for row in taken)
        targets = dict.fromkeys(str(row.target.label) for row in taken)
        rows.append(Alternative(str(event.label), tuple(sources), tuple(targets)))
    return rows


def title(machine: Machine, on_the_way: bool) -> str:
    """The title where none was given."""
    return f"Path of {machine.title}" if on_the_way else f"Lifecycle of {machine.title}"


def description(
    machine: Machine, path: Sequence[Move], current: str | None, possible: Collection[str]
) -> str:
    """The description where none was given."""
    if path or current is not None or possible:
        return _way(machine, path, current, possible)
    said = [f"{_counted(len(machine.places), 'state')} and {_counted(len(machine.events), 'event').lower()}."]
    begins = [place.label for place in machine.places if place.initial]
    final = [place.label for place in machine.places if place.terminal]
    if begins:
        said.append(f"Begins as {' or '.join(begins)}.")
    if final:
        said.append(f"Final: {', '.join(final)}.")
    said += [f"{event.label} also fires {fired.said}." for event, fired in machine.fired()]
    return " ".join([*said, "The table of events says the same in words."])


def _way(machine: Machine, path: Sequence[Move], current: str | None, possible: Collection[str]) -> str:
    places, events = machine.index, machine.event_index

    def label(value: str) -> str:
        return machine.places[places[value]].label if value in places else value

    values = [str(path[0][1])] if path and str(path[0][1]) else []
    values += [str(target) for _, _, target in path]
    if current is not None and (not values or values[-1] != str(current)):
        values.append(str(current))
    shown = [label(value) for value in values]
    if len(shown) > _LONGEST_PATH:
        shown = [shown[0], f"{len(shown) - _LONGEST_PATH} more", *shown[1 - _LONGEST_PATH :]]
    said = [f"{', '.join(shown)}."] if shown else []
    ahead = [machine.events[events[str(name)]].label for name in possible if str(name) in events]
    if ahead:
        said.append(f"Possible now: {' or '.join(ahead)}.")
    return " ".join(said)


def _counted(count: int, noun: str) -> str:
    number = _NUMBERS[count] if count < len(_NUMBERS) else str(count)
    return f"{number} {noun}{'' if count == 1 else 's'}"
