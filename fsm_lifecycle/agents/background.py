"""Owns what agents have done in the background: proposals that nobody decides, runs that are over, copies to erase.

Must not know in which mode it is done.
"""

from __future__ import annotations

from django.db.models import QuerySet
from django.utils import timezone

from fsm_lifecycle.agents import forgetting
from fsm_lifecycle.agents.outcomes import expire_due
from fsm_lifecycle.agents.run import DONE, OVER, AgentRun
from fsm_lifecycle.dispatch.routines import Routine, register
from fsm_lifecycle.engine.expiry import expires

__all__ = ["close_days", "forgetting"]


def close_days(using: str) -> int:
    """End the runs that held a token's calls of a day that is over; how many."""
    rows: QuerySet[AgentRun] = QuerySet(AgentRun, using=using)
    rows = rows.filter(token_day__lt=timezone.localdate()).exclude(status__in=OVER)
    return rows.update(status=DONE, finished_at=timezone.now())


def _tend(using: str) -> int:
    return expire_due(using) + close_days(using)


expires("runs", AgentRun, "finished_at")
register(Routine(name="proposals", label="Proposals that nobody decided", run=_tend, every=60.0, paced=True))
