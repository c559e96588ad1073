"""Owns where in the log to begin to look: the rollup knows the days on which there is something of a kind.

Must not know how entries are walked.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any, Final

from fsm_lifecycle.admin.section.log_filter import LogFilter
from fsm_lifecycle.admin.section.windows import Place
from fsm_lifecycle.ledger.entry import FIRST_MOMENT, TransitionLog, TransitionLogQuerySet
from fsm_lifecycle.ledger.rollup import DailyCount
from fsm_lifecycle.ledger.seal_progress import SealProgress

#: With more entries that are not settled, the rollup is too old to say anything.
_MOST: Final = 5000


def below(asked: LogFilter, found: TransitionLogQuerySet, before: Place | None) -> datetime | None:
    """A moment from which on nothing is found: the end of the last day that has any of what is asked for.

    ``None`` where that is not known. ``found``: what is asked for; ``before``: where the page begins.
    """
    kind = asked.counted_under
    settled = SealProgress.objects.values_list("settled_id", flat=True).first()
    if not kind or settled is None:
        return None
    waiting = TransitionLog.objects.filter(id__gt=settled).order_by("id").values_list("id", flat=True)
    if next(iter(waiting[_MOST : _MOST + 1]), None) is not None:
        return None
    if found.filter(id__gt=settled)[:1].exists() or _skipped():
        return None
    days = DailyCount.objects.filter(**kind)
    until: Any = before[0] if before is not None else asked.cleaned_data["until"]
    if until is not None:
        days = days.filter(day__lte=until.astimezone(UTC).date())
    last = days.order_by("-day").values_list("day", flat=True).first()
    if last is None:
        return FIRST_MOMENT
    return datetime.combine(last + timedelta(days=1), time(), UTC)


def _skipped() -> bool:
    """Whether there are entries that could not be sealed, and so are not in the rollup."""
    return bool(SealProgress.objects.values_list("skipped", flat=True).first())
