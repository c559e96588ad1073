"""Retention: how long records stay before they may be purged.

Must not know how purging is done.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, init=False)
class Retention:
    """``retention = Retention(after=timedelta(days=3650), states=[archived])``."""

    after: timedelta
    states: tuple[str, ...]

    def __init__(self, *, after: timedelta, states: Iterable[str]) -> None:
        object.__setattr__(self, "after", after)
        object.__setattr__(self, "states", tuple(states))
