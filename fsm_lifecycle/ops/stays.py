"""Owns how long records stayed in their states, from the log alone.

A stay begins with the entry that brought a record into a state and ends with the one that took it out; events that lead
back to their state end nothing. It is measured by when things happened: ``occurred_at`` where it was told, else
``recorded_at``. Must not know how entries are read, nor how the figures are shown.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from datetime import datetime, timedelta

_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Stays:
    """The stays in one state that ended in a period."""

    model: str
    state: str
    ended: int
    """How many ended and could be measured."""
    median: timedelta | None
    """Half of them were shorter. Exact; of an even number, the middle between the two in the middle."""
    left_out: int
    """How many could not be measured: their begin is not in the log, or lies behind their end (told late)."""


class StayClock:
    """Collects stays. It keeps eight bytes for each, so that the median is exact."""

    def __init__(self) -> None:
        self._lengths: dict[tuple[str, str], array[int]] = {}
        self._left_out: dict[tuple[str, str], int] = {}

    def add(self, model: str, state: str, began: datetime | None, ended: datetime | None) -> None:
        """Take note of one stay."""
        length = -1 if began is None or ended is None else (ended - began) // _MILLISECOND
        if length < 0:
            self._left_out[model, state] = self._left_out.get((model, state), 0) + 1
            return
        lengths = self._lengths.get((model, state))
        if lengths is None:
            lengths = self._lengths[model, state] = array("q")
        lengths.append(length)

    def figures(self) -> list[Stays]:
        """What was collected, by model and state."""
        none: array[int] = array("q")
        found = []
        for key in sorted(self._lengths.keys() | self._left_out.keys()):
            lengths = self._lengths.get(key, none)
            found.append(Stays(*key, len(lengths), _median(lengths), self._left_out.get(key, 0)))
        return found


def _median(lengths: array[int]) -> timedelta | None:
    if not lengths:
        return None
    ordered = sorted(lengths)
    middle = len(ordered) // 2
    twice = ordered[middle] + ordered[middle - 1 + len(ordered) % 2]
    return timedelta(milliseconds=twice) / 2
