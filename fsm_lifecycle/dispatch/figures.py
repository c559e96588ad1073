"""Owns how a queue stands, in figures: what is due, since when, and who is at it. Reads a bounded number of rows.

Must not know what the work is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Final

from django.utils import timezone

from fsm_lifecycle.dispatch.queues import Queue, all_queues

#: Up to how many rows are looked at; there may be more.
MOST: Final = 1000


@dataclass(frozen=True, slots=True)
class Standing:
    """How one queue of one database stands."""

    name: str
    label: str
    due: int
    """How many rows are due and held by nobody, counted no further than ``MOST``."""
    whole: bool
    """Whether all were counted."""
    oldest: datetime | None
    """Since when the oldest of them is due."""
    held: int
    """How many are held under a lease."""
    workers: int
    """How many threads hold them."""
    next: datetime | None
    """When the next row becomes due; ``None`` where none waits, or where that is not known."""


def standing(queue: Queue, using: str, now: datetime | None = None) -> Standing:
    """The figures of one queue. Rows are claimed oldest first, so those that are held are among the oldest."""
    moment = now or timezone.now()
    ready = (queue.whole or queue.ready)(using)
    columns = ("due_at", "lease_until", "holder")
    # Where ``ready`` is a part, no index has all by time: they are taken as they come, since sorting has no bound.
    by_time = () if queue.whole is not None else ("due_at", "pk")
    due = ready.filter(due_at__lte=moment).order_by(*by_time).values_list(*columns)
    rows = sorted(due[: MOST + 1], key=itemgetter(0))
    held = [holder for _, until, holder in rows[:MOST] if until is not None and until > moment]
    free = [due for due, until, _ in rows[:MOST] if until is None or until <= moment]
    waits = ready.filter(due_at__gt=moment).order_by("due_at").values_list("due_at", flat=True)
    later = waits.first() if queue.whole is None else None
    return Standing(
        name=queue.name,
        label=queue.label,
        due=len(free),
        whole=len(rows) <= MOST,
        oldest=free[0] if free else None,
        held=len(held),
        workers=len(set(held)),
        next=later,
    )


def standings(using: str, now: datetime | None = None) -> Iterator[Standing]:
    """The figures of every queue."""
    for queue in all_queues():
        yield standing(queue, using, now)
