"""Owns the pace of routines: when each ran last, in this process or for all of them. Must not know what they do."""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from typing import Final

from django.db import Error, connections
from django.db.models import QuerySet
from django.utils import timezone

from fsm_lifecycle.dispatch import leases
from fsm_lifecycle.dispatch.routine_state import RoutineState
from fsm_lifecycle.dispatch.routines import Routine

#: Seconds before a routine that failed is tried again, at least.
AFTER_FAILURE: Final = 15.0
#: Seconds before the same failure of the same routine is told again.
_TELL_AGAIN: Final = 300.0
_told: dict[tuple[str, str, type[Exception]], float] = {}

logger = logging.getLogger("fsm_lifecycle")


def run(routine: Routine, using: str, *, now: bool = False) -> int:
    """Run a routine unless its pace says no; how much there was to do.

    ``now``: whatever its pace, unless another process is at it. A failure is logged and on record; it is not raised, so
    that one routine stops no other.
    """
    if not routine.paced:
        return _attempt(routine, using)[0]
    state, _ = RoutineState.objects.using(using).get_or_create(
        name=routine.name, defaults={"due_at": timezone.now()}
    )
    rows: QuerySet[RoutineState] = QuerySet(RoutineState, using=using)
    if now and state.due_at > timezone.now():
        rows.filter(pk=state.pk, lease_until=None).update(due_at=timezone.now())
    held = leases.claim_one(rows, state.pk)
    if held is None:
        return 0
    with leases.holding([held]):
        count, error = _attempt(routine, using)
    moment = timezone.now()
    outcome = {"ran_at": moment, "failed_at": None} if error is None else {"failed_at": moment}
    pause = routine.every if error is None else max(routine.every, AFTER_FAILURE)
    leases.settle(
        held,
        due_at=moment + timedelta(seconds=pause),
        error_class="" if error is None else type(error).__qualname__[:200],
        **outcome,
    )
    return count


def _attempt(routine: Routine, using: str) -> tuple[int, Exception | None]:
    try:
        return routine.run(using), None
    except Exception as error:
        key = (routine.name, using, type(error))
        if time.monotonic() - _told.get(key, float("-inf")) > _TELL_AGAIN:
            _told[key] = time.monotonic()
            logger.exception(
                "The routine %s failed in the database %s; it is tried again.", routine.name, using
            )
        if isinstance(error, Error) and not connections[using].in_atomic_block:
            connections[using].close()
        return 0, error
