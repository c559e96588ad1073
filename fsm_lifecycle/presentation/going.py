"""Owns how an errand under way is told: how far it is, since when, and whether anybody works on it.

Must not know HTML, nor what the errand does.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.utils import timezone

from fsm_lifecycle.engine.errand import Errand

#: After which an errand that nobody has taken up says so.
PATIENCE: Final = timedelta(seconds=20)


@dataclass(frozen=True, slots=True)
class Going:
    """An errand that is not over."""

    done: int
    total: int
    """0 while it is not known."""
    what: str
    """What is counted: “tickets”."""
    since: datetime
    begun: bool
    """Whether a worker has taken it up."""
    waits_long: bool
    """Whether it should have been taken up by now."""
    stopping: bool
    left: timedelta | None
    """How long it still takes at this pace; ``None`` where that cannot be told."""

    @classmethod
    def of(cls, errand: Errand, what: str) -> Going:
        """How an errand stands now."""
        now = timezone.now()
        began = errand.began_at
        done, total = min(errand.done, errand.total), errand.total
        left = None
        if began is not None and 0 < done < total and now - began > timedelta(seconds=2):
            left = (now - began) * (total - done) / done
        return cls(
            done=done,
            total=total,
            what=what,
            since=began or errand.asked_at,
            begun=began is not None,
            waits_long=began is None and now - errand.asked_at > PATIENCE,
            stopping=errand.stop_at is not None,
            left=left,
        )

    @property
    def percent(self) -> int:
        """How much is done, of a hundred."""
        return 100 * self.done // self.total if self.total else 0
