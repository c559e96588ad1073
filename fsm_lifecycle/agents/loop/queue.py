"""Owns the queue of runs: what a worker may take up. Must not know how a run is worked on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.db.models import QuerySet

from fsm_lifecycle.agents.loop.working import work_on
from fsm_lifecycle.agents.resuming import QUEUE
from fsm_lifecycle.agents.run import QUEUED, RUNNING, AgentRun
from fsm_lifecycle.dispatch.queues import Queue, register


def _ready(using: str) -> QuerySet[AgentRun]:
    # A run that is at work and that nobody holds was left by who worked on it.
    return AgentRun.objects.using(using).filter(status__in=(QUEUED, RUNNING)).exclude(model="")


def _work(using: str, rows: Sequence[Any], stopped: Callable[[], bool]) -> None:
    # A run is no short work: who ends leaves it as it is, and another takes it up there.
    for run in rows:
        work_on(run)


register(
    Queue(
        name=QUEUE,
        label="Agents at work",
        model=AgentRun,
        ready=_ready,
        work=_work,
        width=4,
        batch=1,
    )
)
