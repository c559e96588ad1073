"""Owns what pages and lists say of timers: which event fires by itself on a record, and when; what waits, what is late.

Reckoned from the record, so that it is right before its timer was set; from the timer comes when a refused one is tried
again. Must not know HTML.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import QuerySet
from django.utils import timezone

from fsm_lifecycle.append_only import key_text
from fsm_lifecycle.definition import Event
from fsm_lifecycle.timers.moments import Facts, deferred, facts_of, moments, timed
from fsm_lifecycle.timers.setting import AT_ONCE, of_records
from fsm_lifecycle.timers.timer import Timer

#: A timer that is due that long is late: nobody works.
LATE: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Upcoming:
    """An event that will fire by itself on a record that stays as it is."""

    event: Event
    due_at: datetime
    """When: business hours, and the next try after a refusal, are reckoned in. In the past: soon."""
    fires_at: datetime
    """What the record says: its time in the state is over, or the time in its field."""
    refused_at: datetime | None = None
    """When it was refused last, where it was."""


def for_records(records: Iterable[Any]) -> dict[Any, tuple[Upcoming, ...]]:
    """What will fire by itself on each of these records, the next first, by their primary keys.

    One statement for each model and 500 records; none for models without such events.
    """
    found: dict[Any, tuple[Upcoming, ...]] = {}
    groups: dict[tuple[str, str], list[Any]] = {}
    for record in records:
        found[record.pk] = ()
        if timed(record._lifecycle):
            groups.setdefault((record._state.db or "default", record._lifecycle.label), []).append(record)
    for (using, label), group in groups.items():
        for start in range(0, len(group), AT_ONCE):
            part = {record.pk: facts_of(record) for record in group[start : start + AT_ONCE]}
            texts = [key_text(held.key) for held in part.values()]
            rows = {(timer.object_pk, timer.event): timer for timer in of_records(using, label, texts)}
            found.update((pk, tuple(_upcoming(held, rows))) for pk, held in part.items())
    return found


def next_of(record: Any) -> Upcoming | None:
    """What will fire by itself next on this record; ``None`` when nothing will."""
    upcoming = for_records([record])[record.pk]
    return upcoming[0] if upcoming else None


def once_moved(record: Any, state: str) -> tuple[Upcoming, ...]:
    """What would fire by itself on this record if it were moved to a state now, the next first. Asks no database.

    A field that ``at=`` names counts as it is now, whatever the move will write into it.
    """
    if not timed(record._lifecycle):
        return ()
    held = facts_of(record)
    since = held.since if held.state == state else timezone.now()
    moved = replace(held, state=state, since=since, sequence=held.sequence + 1)
    return tuple(_upcoming(moved, {}))


def _upcoming(record: Facts, rows: dict[tuple[str, str], Timer]) -> list[Upcoming]:
    found = []
    for name, (event, moment) in moments(record).items():
        timer = rows.get((key_text(record.key), name))
        if timer is None or timer.fires_at != moment:
            found.append(Upcoming(event, deferred(event, moment), moment))
        elif not timer.fired:
            found.append(Upcoming(event, timer.due_at, moment, timer.refused_at))
    return sorted(found, key=lambda one: one.due_at)


def waiting(using: str = "default") -> QuerySet[Timer]:
    """Every timer that has not fired, the next first."""
    return Timer.objects.using(using).filter(fired=False).order_by("due_at", "pk")


def late(using: str = "default") -> QuerySet[Timer]:
    """The timers that are due for minutes: somebody should work, and nobody does."""
    return waiting(using).filter(due_at__lt=timezone.now() - LATE)
