"""Owns working as a worker does, in this process. Must not know what the tests expect."""

from __future__ import annotations

from fsm_lifecycle.dispatch import items, work_off
from fsm_lifecycle.dispatch.routines import get
from fsm_lifecycle.dispatch.working import drain
from fsm_lifecycle.models import Timer
from fsm_lifecycle.timers import keeping


def work() -> int:
    """Set timers and fire those that are due; how much there was to do."""
    routines = [one for one in map(get, ("timers", "timers_reconcile")) if one is not None]
    return work_off("default", routines=routines, alone=True)


def set_timers() -> int:
    """Set timers from the log, and fire none."""
    return keeping.follow("default")


def look_again() -> None:
    """Do what a save left for after its commit: on MariaDB and MySQL, timers that were not there yet."""
    drain(items.QUEUE, "default")


def timers() -> list[tuple[str, str, str]]:
    """The timers there are: record, event, when."""
    rows = Timer.objects.exclude(fires_at=None).order_by("fires_at", "event")
    return [(t.object_pk, t.event, f"{t.due_at:%m-%d %H:%M}") for t in rows]
