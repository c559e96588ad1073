"""Owns periods: from which moment on, and until which. Must not know what happened in them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q

from fsm_lifecycle.ledger.moments import FORMS, span


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch of time, in UTC. It holds ``since``, and no longer ``until``."""

    since: datetime | None = None
    """``None``: from the beginning."""
    until: datetime | None = None
    """``None``: no end."""

    @classmethod
    def between(cls, since: str = "", until: str = "") -> Period:
        """From the first moment of what ``since`` names to the last of what ``until`` names, both as for ``span``.

        So from 2026-01 until 2026-02 is January and February, and until a day takes that day in. Raises
        ``ValueError`` for what is no date and for an end before the beginning.
        """
        begin = span(since)[0] if since else None
        end = span(until)[1] if until else None
        if begin is not None and end is not None and begin >= end:
            raise ValueError(f"{until} does not come after {since}. Name the earlier one first.")
        return cls(begin, end)

    @classmethod
    def named(cls, text: str) -> Period:
        """The period of ``2026``, ``2026-01``, ``2026-01-15``, or two such with ``..`` between them, both included.

        Raises ``ValueError`` for anything else.
        """
        first, dots, last = text.partition("..")
        if not first or (dots and not last):
            raise ValueError(
                f"“{text:.60}” is no period. Write 2026-01, or 2026-01..2026-03 for three months."
            )
        period = cls.between(first, last or first) if dots or span(first)[0] != span(first)[1] else None
        if period is None:
            raise ValueError(
                f"“{first:.60}” is a moment, not a period. Write a year, month or day of {FORMS}."
            )
        return period

    @property
    def recorded(self) -> Q:
        """What was recorded in it."""
        found = Q()
        if self.since is not None:
            found &= Q(recorded_at__gte=self.since)
        if self.until is not None:
            found &= Q(recorded_at__lt=self.until)
        return found

    @property
    def document(self) -> dict[str, Any]:
        """As JSON: ``since`` and ``until``, null where there is none."""
        return {
            "since": None if self.since is None else self.since.isoformat().replace("+00:00", "Z"),
            "until": None if self.until is None else self.until.isoformat().replace("+00:00", "Z"),
        }

    def __str__(self) -> str:
        """In words: whole days by the last day that belongs to it."""
        if self.since is None and self.until is None:
            return "all time"
        begin = "the beginning" if self.since is None else _shown(self.since)
        if self.until is None:
            return f"{begin} until now"
        if _is_midnight(self.until) and (self.since is None or _is_midnight(self.since)):
            last = self.until - timedelta(days=1)
            return begin if last == self.since else f"{begin} to {_shown(last)}"
        return f"{begin} until {_shown(self.until)}"


def _is_midnight(moment: datetime) -> bool:
    return (moment.hour, moment.minute, moment.second, moment.microsecond) == (0, 0, 0, 0)


def _shown(moment: datetime) -> str:
    day = f"{moment.day} {moment:%b %Y}"
    if _is_midnight(moment):
        return day
    return f"{day}, {moment:%H:%M:%S}" if moment.second else f"{day}, {moment:%H:%M}"
