"""Owns how a run is given to a worker: it is queued, and its queue is offered. Must not know who works on it."""

from __future__ import annotations

from typing import Final

from django.db.models import Case, F, QuerySet, Value, When
from django.utils import timezone

from fsm_lifecycle.agents.run import QUEUED, WAITING, AgentRun
from fsm_lifecycle.dispatch.waking import offer

#: The queue of runs; see ``dispatch.queues``.
QUEUE: Final = "agent_runs"


def resume(run: AgentRun) -> None:
    """Have a run that waits worked on after the open transaction commits, at once when none is open.

    Called in the transaction that decides what the run waits for. It locks the run's row whatever its status: a run
    that is about to wait sees the decision, or is seen waiting here.
    """
    using = run._state.db or "default"
    rows: QuerySet[AgentRun] = QuerySet(AgentRun, using=using)
    waits = When(status=WAITING, then=Value(QUEUED))
    status = Case(waits, default=F("status"), output_field=AgentRun._meta.get_field("status"))
    rows.filter(pk=run.pk).update(status=status, due_at=timezone.now())
    offer(QUEUE, using)
