"""Owns how much happened on each day: firings from the rollup and what is not sealed yet, refusals as they are kept.

Days are those of UTC, as in the rollup. Must not know how they are drawn.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from statistics import median
from typing import Final

from django.db.models import Count, Sum
from django.db.models.functions import TruncDate

from fsm_lifecycle.engine.refusals import RefusedAttempt
from fsm_lifecycle.ledger.census import Census
from fsm_lifecycle.ledger.rollup import DailyCount

#: A refusal for lack of a role.
_ROLE: Final = "access_denied"


@dataclass(frozen=True, slots=True)
class Daily:
    """What happened on the days from ``first`` on."""

    first: date
    number: int
    fired: dict[str, list[int]]
    """By model, a number for each day."""
    refused: list[int]
    lacking_today: int
    """How many of today's refusals were for lack of a role."""

    @property
    def fired_in_all(self) -> list[int]:
        """The firings of all models."""
        return [sum(of_day) for of_day in zip(*self.fired.values(), strict=True)] or [0] * self.number

    def firings(self, label: str, days: int) -> list[int]:
        """The firings of one model on the last days."""
        return self.fired.get(label, [0] * self.number)[-days:]

    @property
    def median(self) -> int:
        """The median of the days before today."""
        before = self.fired_in_all[:-1]
        return round(median(before)) if before else 0

    def table(self) -> list[tuple[date, int, int]]:
        """Each day on which something happened, newest first: day, firings, refusals."""
        rows = zip(range(self.number), self.fired_in_all, self.refused, strict=True)
        return [(self.first + timedelta(days=place), f, r) for place, f, r in reversed(list(rows)) if f or r]


def daily(
    labels: Collection[str],
    census: Census,
    *,
    days: int = 60,
    refusals: bool = True,
    today: date | None = None,
) -> Daily:
    """What happened to the records of these models on the last days, today among them. Two statements."""
    last = today or datetime.now(UTC).date()
    first = last - timedelta(days=days - 1)
    fired: Counter[tuple[str, date]] = Counter()
    rows = DailyCount.objects.filter(day__gte=first, day__lte=last, kind="transition", model_label__in=labels)
    for label, day, number in (
        rows.order_by().values_list("model_label", "day").annotate(number=Sum("entries"))
    ):
        fired[label, day] += number
    for label, kind, _, _, at in census.moves:
        if kind == "transition":
            fired[label, at.astimezone(UTC).date()] += 1
    refused: Counter[date] = Counter()
    lacking = 0
    if refusals:
        begin = datetime.combine(first, time(), UTC)
        attempts = RefusedAttempt.objects.filter(recorded_at__gte=begin, model_label__in=labels).order_by()
        grouped = attempts.annotate(day=TruncDate("recorded_at", tzinfo=UTC)).values_list("day", "code")
        for day, code, number in grouped.annotate(number=Count("pk")):
            refused[day] += number
            if day == last and code == _ROLE:
                lacking += number
    span = [first + timedelta(days=place) for place in range(days)]
    return Daily(
        first=first,
        number=days,
        fired={label: [fired[label, day] for day in span] for label in labels},
        refused=[refused[day] for day in span],
        lacking_today=lacking,
    )


def weekly(label: str, census: Census, *, weeks: int = 52) -> Sequence[int]:
    """The firings of one model in each of the last weeks, up to today."""
    found = daily([label], census, days=weeks * 7, refusals=False).fired[label]
    return [sum(found[place : place + 7]) for place in range(0, len(found), 7)]
