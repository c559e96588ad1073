"""A snapshot policy: which field values are kept in an entry, and when.

Must not know how a value is read or written.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

Reason = Literal["every", "nth", "interval", "terminal", "manual"]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """When to keep the record's field values in the log entry. Made by one of the class methods.

    No field names means all concrete fields except the primary key. A snapshot is the record as the UPDATE
    leaves it (new state, stored arguments), before effects.
    """

    reason: Reason
    fields: tuple[str, ...] = ()
    n: int = 0
    """``every_nth``: at each n-th transition of a record."""
    period: timedelta | None = None
    """``interval``: when the last snapshot is at least this old, or there is none."""

    @classmethod
    def every(cls, *fields: str) -> Snapshot:
        """At each transition."""
        return cls("every", fields)

    @classmethod
    def every_nth(cls, n: int, *fields: str) -> Snapshot:
        """At each n-th transition of a record."""
        if not isinstance(n, int) or isinstance(n, bool) or n < 1:
            raise ValueError(f"Snapshot.every_nth({n!r}): n must be a whole number from 1.")
        return cls("nth", fields, n=n)

    @classmethod
    def interval(cls, period: timedelta, *fields: str) -> Snapshot:
        """At the first transition, and then whenever the last snapshot is at least ``period`` old."""
        if not isinstance(period, timedelta) or period <= timedelta(0):
            raise ValueError(f"Snapshot.interval({period!r}): the period must be a positive timedelta.")
        return cls("interval", fields, period=period)

    @classmethod
    def terminal(cls, *fields: str) -> Snapshot:
        """When a terminal state is entered."""
        return cls("terminal", fields)

    @classmethod
    def manual(cls, *fields: str) -> Snapshot:
        """Only where ``fire(..., snapshot=True)`` asks for one."""
        return cls("manual", fields)
