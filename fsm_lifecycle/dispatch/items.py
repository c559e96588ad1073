"""Owns the queue of durable work: each item is run as its kind says, tried again, or given up.

Must not know what any kind does, nor in which mode it is run.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from django.db import close_old_connections, connections
from django.db.models import QuerySet
from django.utils import timezone

from fsm_lifecycle.dispatch import kinds, leases, queues
from fsm_lifecycle.dispatch.kinds import GiveUp, GoOn, Kind
from fsm_lifecycle.dispatch.waking import offer
from fsm_lifecycle.dispatch.work import LeaseLost, Work
from fsm_lifecycle.dispatch.work_item import WorkItem

logger = logging.getLogger("fsm_lifecycle")


def ready(using: str) -> QuerySet[WorkItem]:
    """What is to be done and whose kind is known here: another version of the code may know the rest."""
    known = [kind.name for kind in kinds.all_kinds()]
    return WorkItem.objects.using(using).filter(status=WorkItem.QUEUED, kind__in=known)


def work_on(using: str, items: Sequence[WorkItem], stopped: Callable[[], bool] = bool) -> None:
    """Run claimed items, one after the other."""
    for place, item in enumerate(items):
        if stopped():
            leases.give_back(items[place:])
            return
        run(item, using)


def run(item: WorkItem, using: str) -> None:
    """One try of one claimed item. Never raises for what the work does."""
    kind = kinds.get(item.kind)
    if kind is None:
        leases.settle(item)
        return
    item.tries += 1
    # Counted before it begins, so that work that kills its worker is given up one day, too.
    if not leases._mine(item).update(tries=item.tries):
        return
    work = Work(item, using)
    if item.tries > len(kind.delays) + 1:
        _give_up(work, kind, "WorkerLost")
        return
    try:
        result = kind.run(work)
    except LeaseLost:
        logger.warning("%s: the lease was lost; another worker goes on.", item)
    except GoOn:
        leases.settle(item, due_at=timezone.now(), tries=0, error_class="")
        offer(QUEUE.name, using)
    except GiveUp as error:
        logger.warning("%s is given up: %s", item, error.why)
        _give_up(work, kind, "GiveUp", {"why": error.why})
    except Exception as error:
        logger.exception("%s failed at try %d.", item, item.tries)
        if not connections[using].in_atomic_block:
            close_old_connections()  # a connection that broke is not used again
        _failed(work, kind, error)
    else:
        now = timezone.now()
        leases.settle(item, status=WorkItem.DONE, finished_at=now, result=result, error_class="")


def _failed(work: Work, kind: Kind, error: Exception) -> None:
    pause = kind.pause(work.item.tries)
    if pause is None:
        _give_up(work, kind, _name(error))
    else:
        leases.settle(work.item, due_at=timezone.now() + pause, error_class=_name(error))


def _give_up(work: Work, kind: Kind, error_class: str, result: Any = None) -> None:
    changes = {"status": WorkItem.DEAD, "finished_at": timezone.now(), "error_class": error_class}
    if leases.settle(work.item, **changes, result=result) and kind.on_dead is not None:
        try:
            kind.on_dead(work)
        except Exception:
            logger.exception("%s: what follows its end failed.", work.item)


def _name(error: Exception) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")[:200]


QUEUE = queues.register(
    queues.Queue(
        name="work", label="Work", model=WorkItem, ready=ready, work=work_on, width=4, batch=1, at_exit=True
    )
)


# --- dead work ----------------------------------------------------------------------------------------------


def dead(using: str) -> QuerySet[WorkItem]:
    """Work that was given up, the newest first."""
    return WorkItem.objects.using(using).filter(status=WorkItem.DEAD).order_by("-finished_at", "-pk")


def retry(item: WorkItem) -> bool:
    """Begin dead work anew, with all its tries. ``False`` when it is no longer dead."""
    rows: QuerySet[WorkItem] = QuerySet(WorkItem, using=item._state.db).filter(
        pk=item.pk, status=WorkItem.DEAD
    )
    found = rows.update(
        status=WorkItem.QUEUED, tries=0, due_at=timezone.now(), finished_at=None, error_class="", result=None
    )
    if found:
        offer(QUEUE.name, item._state.db or "default")
    return bool(found)


def drop(item: WorkItem) -> bool:
    """Remove dead work for good. ``False`` when it is no longer dead."""
    rows: QuerySet[WorkItem] = QuerySet(WorkItem, using=item._state.db)
    return bool(rows.filter(pk=item.pk, status=WorkItem.DEAD).delete()[0])
