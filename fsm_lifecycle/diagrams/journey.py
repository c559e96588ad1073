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
    """A record's way through a machine, by index. What the present table no longer has is left out."""

    current: int | None = None
    visited: set[int] = field(default_factory=set)
    turns: dict[tuple[int, int, int], list[int]] = field(default_factory=dict)
    """(source, event, target) → which moves of the path it was, counted from 1."""
    possible: set[int] = field(default_factory=set)
    """Events that could be fired now."""

    def kind(self, source: int, events: Collection[int], target: int, compensating: bool) -> str:
        """The class of a line: taken, possible now, compensating, or none of these."""
        if any((source, event, target) in self.turns for event in events):
            return "is-taken"
        if source == self.current and self.possible.intersection(events):
            return "is-next"
        return "is-compensating" if compensating else ""

    def numbers(self, sources: Collection[int], events: Collection[int], target: int) -> list[int]:
        """The turns taken along any of these rows, in order."""
        return sorted(
            turn
            for source in sources
            for event in events
            for turn in self.turns.get((source, event, target), ())
        )


def journey(
    machine: Machine, path: Sequence[Move], current: str | None, possible: Collection[str]
) -> Journey | None:
    """A record's journey; ``None`` where no record is spoken of."""
    if not path and current is None and not possible:
        return None
    places, events = machine.index, machine.event_index
    turns: dict[tuple[int, int, int], list[int]] = defaultdict(list)
    visited: set[int] = set()
    for turn, (event, source, target) in enumerate(path, start=1):
        visited.update(places[value] for value in (str(source), str(target)) if value in places)
        if str(source) in places and str(target) in places and str(event) in events:
            turns[places[str(source)], events[str(event)], places[str(target)]].append(turn)
    here = places.get(str(current)) if current is not None else None
    if here is not None:
        visited.add(here)
    return Journey(here, visited, dict(turns), {events[str(e)] for e in possible if str(e) in events})
