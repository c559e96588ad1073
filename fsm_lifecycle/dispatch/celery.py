"""Owns the Celery tasks and the beat schedule.

Tasks carry names and keys; retries and their times live in the database, never in the broker. A worker's
``autodiscover_tasks()`` finds them through ``fsm_lifecycle.tasks``. Settings may import this module, so everything that
needs the apps is imported where it is used. Must not know what the work is but by name.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from celery import shared_task

#: Seconds that one task works on a queue before it leaves the rest to the next. A worker that is to end waits for it.
STINT: Final = 20.0
#: Seconds after which Celery interrupts a task, and then kills it. Above the longest lease (check E069), which is
#: renewed meanwhile. What a killed task held comes back when its lease ends.
SOFT_TIME_LIMIT: Final = 1500
TIME_LIMIT: Final = 1800

_OPTIONS: Final[dict[str, Any]] = {
    "acks_late": True,
    "ignore_result": True,
    "soft_time_limit": SOFT_TIME_LIMIT,
    "time_limit": TIME_LIMIT,
}


def _every(seconds: float, task: str, name: str) -> dict[str, Any]:
    # A beat that nobody took in time says nothing new.
    return {"task": task, "schedule": seconds, "args": (name,), "options": {"expires": max(seconds, 5.0)}}


def _routine(name: str, seconds: float) -> dict[str, Any]:
    return _every(seconds, "fsm_lifecycle.routine", name)


def _queue(name: str, seconds: float) -> dict[str, Any]:
    return _every(seconds, "fsm_lifecycle.queue", name)


#: For the host's ``CELERY_BEAT_SCHEDULE``: ``{**CELERY_BEAT_SCHEDULE, "mine": ...}``. Messages at commits make work
#: begin sooner; the beat finds what no message told of.
CELERY_BEAT_SCHEDULE: Final[dict[str, dict[str, Any]]] = {
    "fsm-lifecycle-relay": _routine("webhooks", 2.0),
    "fsm-lifecycle-deliveries": _queue("webhooks", 5.0),
    "fsm-lifecycle-probes": _routine("probes", 10.0),
    "fsm-lifecycle-sealing-and-rollups": _routine("sealing", 5.0),
    "fsm-lifecycle-grants": _routine("grants", 60.0),
    "fsm-lifecycle-proposals": _routine("proposals", 60.0),
    "fsm-lifecycle-retention": _routine("retention", 3600.0),
    "fsm-lifecycle-timers-follow": _routine("timers", 15.0),
    "fsm-lifecycle-timers-reconcile": _routine("timers_reconcile", 900.0),
    "fsm-lifecycle-timers": _queue("timers", 5.0),
    "fsm-lifecycle-work": _queue("work", 5.0),
    "fsm-lifecycle-agents": _queue("agent_runs", 5.0),
}


@shared_task(name="fsm_lifecycle.routine", **_OPTIONS)  # type: ignore[untyped-decorator]
def routine(name: str, using: str | None = None) -> int:
    """Run one routine in a database, by default in each that holds work; how much there was to do."""
    from fsm_lifecycle.dispatch import pacing, routines

    found = routines.get(name)
    return 0 if found is None else _in_each(using, partial(pacing.run, found))


@shared_task(name="fsm_lifecycle.queue", **_OPTIONS)  # type: ignore[untyped-decorator]
def queue(name: str, using: str | None = None) -> int:
    """Work on what is due in one queue, by default in each database that holds work; how many rows it were."""
    from fsm_lifecycle.dispatch import queues
    from fsm_lifecycle.dispatch.waking import offer
    from fsm_lifecycle.dispatch.working import work_on_queue

    found = queues.get(name)
    if found is None:
        return 0
    end = time.monotonic() + STINT

    def work(alias: str) -> int:
        count = work_on_queue(found, alias, stopped=lambda: time.monotonic() > end)
        if time.monotonic() > end:
            offer(name, alias)
        return count

    return _in_each(using, work)


def _in_each(using: str | None, work: Callable[[str], int]) -> int:
    from fsm_lifecycle.dispatch.databases import let_go, may_be_away, with_work

    count = 0
    try:
        for alias in [using] if using else with_work():
            with may_be_away(alias):
                count += work(alias)
    finally:
        let_go()
    return count
