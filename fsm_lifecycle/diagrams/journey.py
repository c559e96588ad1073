"""Owns what one record has to do with a lifecycle: the turns it took, where it stands, what could come next.

Must not know how that is drawn.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from fsm_lifecycle.diagrams.machine import Machine

#: A transition that a record took: event, source value, target value.
Move = tuple[str, str, str]


@dataclass
class Journey:
    """A record's way through a machine, by index of its states. What the table no longer has is left out."""

    current: int | None = None
    visited: set[int] = field(default_factory=set)
    turns: dict[tuple[int, int], list[int]] = field(default_factory=dict)
    """(source, target) → which moves of the path it was, counted from 1."""
    ahead: set[int] = field(default_factory=set)
    """Where an event that could be fired now leads."""

    def kind(self, source: int, target: int, compensating: bool) -> str:
        """The class of a line: taken, possible now, compensating, or none of these."""
        if (source, target) in self.turns:
            return "is-taken"
        if source == self.current and target in self.ahead:
            return "is-next"
        return "is-compensating" if compensating else ""

    def numbers(self, sources: Collection[int], target: int) -> list[int]:
        """The turns taken from any of these states to the target, in order."""
        return sorted(turn for source in sources for turn in self.turns.get((source, target), ()))


def journey(
    machine: Machine, path: Sequence[Move], current: str | None, possible: Collection[str]
) -> Journey | None:
    """A record's journey; ``None`` where no record is spoken of."""
    if not path and current is None and not possible:
        return None
    places = machine.index
    pairs = {(row.source, row.target) for row in machine.rows}
    turns: dict[tuple[int, int], list[int]] = defaultdict(list)
    visited: set[int] = set()
    for turn, (_, source, target) in enumerate(path, start=1):
        visited.update(places[value] for value in (str(source), str(target)) if value in places)
        pair = places.get(str(source), -1), places.get(str(target), -1)
        if pair in pairs:
            turns[pair].append(turn)
    here = places.get(str(current)) if current is not None else None
    if here is not None:
        visited.add(here)
    names = {str(name) for name in possible}
    ahead = {r.target for r in machine.rows if r.source == here and machine.events[r.event].name in names}
    return Journey(here, visited, dict(turns), ahead)
