"""What can be wrong with background work: given up, not worked off, routines that fail. Must not know what it does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from django.utils import timezone

from fsm_lifecycle import conf
from fsm_lifecycle.dispatch import kinds, routines
from fsm_lifecycle.dispatch.databases import has_work
from fsm_lifecycle.dispatch.figures import MOST, standings
from fsm_lifecycle.dispatch.routine_state import RoutineState
from fsm_lifecycle.dispatch.work_item import WorkItem
from fsm_lifecycle.ops.problem import Problem
from fsm_lifecycle.ops.wording import in_words

#: After which work that is due and that nobody holds is a problem.
LATE: Final = timedelta(minutes=10)
#: How long a routine may be overdue, beside twice its pause.
SLACK: Final = timedelta(minutes=10)


def given_up(using: str) -> Iterator[Problem]:
    """Work that ran out of tries."""
    if not has_work(using):
        return
    dead = WorkItem.objects.using(using).filter(status=WorkItem.DEAD)
    names = list(dead.order_by("-finished_at").values_list("kind", flat=True)[: MOST + 1])
    if not names:
        return
    number = f"over {MOST:,}" if len(names) > MOST else f"{len(names):,}"
    known = sorted({_label(name) for name in names})
    yield Problem(
        "WORK_DEAD",
        f"{number} pieces of work were given up: {', '.join(known)}."
        if len(names) > 1
        else f"A piece of work was given up: {known[0]}.",
        f"Run: manage.py lifecycle_work --dead list --database {using}. Then retry or drop them.",
    )


def _label(name: str) -> str:
    kind = kinds.get(name)
    return kind.label if kind is not None else name


def not_worked_off(using: str) -> Iterator[Problem]:
    """Queues whose oldest row has been due for long and is held by nobody."""
    if not has_work(using):
        return
    now = timezone.now()
    for one in standings(using, now):
        if one.oldest is None or now - one.oldest <= LATE:
            continue
        number = f"{one.due:,}{'' if one.whole else ' or more'}"
        yield Problem(
            "WORK_OVERDUE",
            f"The queue “{one.label}” is not worked off: {number} due, the oldest for {in_words(now - one.oldest)}"
            f"{', though ' + format(one.workers, ',') + ' workers are at it' if one.workers else ''}.",
            _worker(using),
        )


def _worker(using: str) -> str:
    if conf.dispatch() == "celery":
        return "See that a Celery worker and beat are running and reach the broker."
    return f"Keep a worker running: manage.py lifecycle_work --database {using}"


def failing(using: str) -> Iterator[Problem]:
    """Routines that failed the last time, and such that should have run by now."""
    if not has_work(using):
        return
    now = timezone.now()
    labels = {one.name: one for one in routines.all_routines() if one.paced}
    for state in RoutineState.objects.using(using).order_by("name"):
        routine = labels.get(state.name)
        if routine is None:
            continue
        well = (
            f"It last ended well {in_words(now - state.ran_at)} ago."
            if state.ran_at
            else "It never ended well."
        )
        if state.failed_at is not None:
            yield Problem(
                "ROUTINE_FAILING",
                f"The routine “{routine.label}” fails with {state.error_class}. {well}",
                "The worker’s log has the error.",
            )
        elif now - state.due_at > SLACK + 2 * timedelta(seconds=routine.every):
            yield Problem(
                "ROUTINE_OVERDUE",
                f"The routine “{routine.label}” has been due for {in_words(now - state.due_at)}. {well}",
                _worker(using),
            )
