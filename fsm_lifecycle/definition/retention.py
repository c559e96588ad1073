"""Retention: how long records stay before they may be purged.

Must not know how purging is done.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, init=False)
class Retention:
    """``retention = Retention(after=timedelta(days=3650), states=[archived])``.

    A record that has been in one of the states for so long may be purged. Nothing goes by itself: see
    ``lifecycle_purge``. What cannot be used is a finding of the system checks.
    """

    after: timedelta
    """How long a record stays, counted from when it came into the state (``state_since``)."""
    states: tuple[str, ...]
    """The states in which it may be purged."""

    def __init__(self, *, after: timedelta, states: Iterable[str]) -> None:
        object.__setattr__(self, "after", after)
        # A state is a text, whose letters nobody means; what cannot be gone through is for the check to name.
        several = isinstance(states, Iterable) and not isinstance(states, str)
        object.__setattr__(self, "states", tuple(states) if several else (states,))
