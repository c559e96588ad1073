"""Owns how long records stayed in their states, from the log alone.

A stay begins with the entry that brought a record into a state and ends with the one that took it out; events that lead
back to their state end nothing. It is measured by when things happened: ``occurred_at`` where it was told, else
``recorded_at``. ``recent_stays`` reads the latest of them, however long the log is. Must not know how the figures are
shown.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Final

from django.db.models import F, Max, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce

from fsm_lifecycle.ledger.entry import TransitionLog
from fsm_lifecycle.ledger.reading import unindexed
from fsm_lifecycle.ledger.rollup import DailyCount
from fsm_lifecycle.ledger.seal_progress import SealProgress

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
    ninety: timedelta | None = None
    """Within that, nine of ten had ended (the nearest rank)."""


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
            found.append(
                Stays(*key, len(lengths), _median(lengths), self._left_out.get(key, 0), _ninety(lengths))
            )
        return found


def _median(lengths: array[int]) -> timedelta | None:
    if not lengths:
        return None
    ordered = sorted(lengths)
    middle = len(ordered) // 2
    twice = ordered[middle] + ordered[middle - 1 + len(ordered) % 2]
    return timedelta(milliseconds=twice) / 2


def _ninety(lengths: array[int]) -> timedelta | None:
    if not lengths:
        return None
    return timedelta(milliseconds=sorted(lengths)[-(-len(lengths) * 9 // 10) - 1])


# --- the latest ---------------------------------------------------------------------------------------------

#: So many moves out of a state at most are measured, and looked for among so many entries.
LATEST: Final = 500
_AMONG: Final = 20_000


@dataclass(frozen=True, slots=True)
class RecentStays:
    """The stays that ended last."""

    stays: tuple[Stays, ...]
    moves: int
    """How many moves they were measured from."""
    since: datetime | None
    """When the first of these was recorded."""


def recent_stays(using: str, label: str) -> RecentStays:
    """How long records of a model stayed in the states that they left last: the latest ``LATEST`` moves.

    They are looked for from the last day on which the model has any, so that a lifecycle that rests is measured too.
    """
    log = TransitionLog.objects.using(using)
    until = _end_of_the_last_day(using, label)
    walked = log if until is None else log.filter(recorded_at__lt=until)
    walk = walked.order_by("-recorded_at", "-id").values_list("recorded_at", flat=True)
    edge = next(iter(walk[_AMONG : _AMONG + 1]), None)
    moved = Q(from_state__isnull=True) | Q(to_state__isnull=True) | ~Q(from_state=F("to_state"))
    before = log.filter(
        moved,
        model_label=OuterRef("model_label"),
        object_pk=OuterRef("object_pk"),
        sequence__lt=OuterRef("sequence"),
    )
    left = walked.filter(unindexed(Q(model_label=label)), moved, from_state__isnull=False)
    if edge is not None:
        left = left.filter(recorded_at__gte=edge)
    moves = left.order_by("-recorded_at", "-id").annotate(
        ended=Coalesce("occurred_at", "recorded_at"),
        began=Subquery(before.order_by("-sequence").values(at=Coalesce("occurred_at", "recorded_at"))[:1]),
    )
    rows = list(moves.values_list("from_state", "began", "ended", "recorded_at")[:LATEST])
    clock = StayClock()
    for state, began, ended, _ in rows:
        clock.add(label, str(state), began, ended)
    return RecentStays(tuple(clock.figures()), len(rows), rows[-1][3] if rows else None)


def _end_of_the_last_day(using: str, label: str) -> datetime | None:
    """The end of the last day that the rollup has of a model; ``None`` where there may be entries after it."""
    day = DailyCount.objects.using(using).filter(model_label=label).aggregate(last=Max("day"))["last"]
    settled = SealProgress.objects.using(using).values_list("settled_id", flat=True).first()
    if day is None or settled is None:
        return None
    waiting = TransitionLog.objects.using(using).filter(id__gt=settled).order_by("id")[:_AMONG]
    if label in set(waiting.values_list("model_label", flat=True)):
        return None
    return datetime.combine(day + timedelta(days=1), time(), UTC)
