"""Owns the routines: short periodic work that finds out by itself what there is to do. Must not know what that is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Routine:
    """One periodic piece of work. Two at once must do no harm."""

    name: str
    label: str
    """What people call it."""
    run: Callable[[str], int]
    """Does it in one database and says how much there was to do."""
    every: float
    """Seconds between two runs while nothing is known to have happened."""
    on_commit: bool = False
    """Whether it also runs soon after a commit that wrote to the log."""
    gap: float = 0.2
    """Seconds between two runs at least, however often it is woken."""
    paced: bool = False
    """Whether its pace is kept for all processes together: it runs once in ``every`` seconds, in one of them."""


_routines: dict[str, Routine] = {}


def register(routine: Routine) -> Routine:
    """Make a routine known. The same name again replaces what it stood for."""
    _routines[routine.name] = routine
    return routine


def get(name: str) -> Routine | None:
    """The routine of that name."""
    return _routines.get(name)


def all_routines() -> tuple[Routine, ...]:
    """Every routine, in the order they were registered."""
    return tuple(_routines.values())
