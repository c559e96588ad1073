"""Owns setting timers: what the rows say beside what the records say, and making the two agree.

Whoever saves a record holds the lock of its row and has the last word; whoever follows the log looks at what is
committed, never waits for a timer that somebody else is changing, and never replaces one that came meanwhile.

Must not know what becomes of a timer that is due.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import QuerySet
from django.utils import timezone

from fsm_lifecycle.definition import Event
from fsm_lifecycle.dispatch.waking import offer
from fsm_lifecycle.engine.binding import Binding
from fsm_lifecycle.timers.moments import Facts, deferred, facts, moments
from fsm_lifecycle.timers.timer import Timer

#: So many records are looked at together.
AT_ONCE: Final = 500
_WRITTEN: Final = ["sequence", "fires_at", "due_at", "fired", "refused_at", "holder", "lease_until"]


@dataclass
class Difference:
    """Where timers and records do not agree."""

    wrong: list[Timer] = field(default_factory=list)
    """To be removed."""
    moved: list[Timer] = field(default_factory=list)
    """To be written anew; they hold what is right."""
    missing: list[Timer] = field(default_factory=list)
    """To be set."""

    @property
    def keys(self) -> set[str]:
        """The records it is about."""
        return {timer.object_pk for timer in (*self.wrong, *self.moved, *self.missing)}


def of_records(using: str, label: str, keys: Collection[str]) -> QuerySet[Timer]:
    """The timers of these records."""
    return Timer.objects.using(using).filter(model_label=label, object_pk__in=keys).order_by("pk")


def compare(label: str, records: Iterable[tuple[str, Facts]], timers: Iterable[Timer]) -> Difference:
    """What is to be done about these timers so that they are what these records want.

    A timer of another record than these is wrong.
    """
    wanted = {
        (key, name): (event, moment, record)
        for key, record in records
        for name, (event, moment) in moments(record).items()
    }
    difference = Difference()
    for timer in timers:
        found = wanted.pop((timer.object_pk, timer.event), None)
        if found is None:
            difference.wrong.append(timer)
        elif (
            found[1] != timer.fires_at
        ):  # else it is right, also where it waits for another try, or has fired
            _put(timer, *found)
            difference.moved.append(timer)
    for (key, name), found in wanted.items():
        timer = Timer(model_label=label, object_pk=key, event=name)
        _put(timer, *found)
        difference.missing.append(timer)
    return difference


def _put(timer: Timer, event: Event, moment: datetime, record: Facts) -> None:
    """Have a timer say this moment, whatever it said. A lease on it is lost."""
    timer.fires_at, timer.due_at, timer.sequence = moment, deferred(event, moment), record.sequence
    timer.fired, timer.refused_at, timer.lease_until, timer.holder = False, None, None, ""


def follow(
    connection: BaseDatabaseWrapper, label: str, owner: Binding, keys: Sequence[str]
) -> tuple[int, list[str]]:
    """Make the timers of these records what is committed; how many changed, and the records to look at again.

    In the open transaction.
    """
    using = connection.alias
    changed, again = 0, set()
    for start in range(0, len(keys), AT_ONCE):
        part = keys[start : start + AT_ONCE]
        free, busy = _locked(connection, label, part)
        again |= busy
        # Read after the timers were locked: a save that this read does not see yet comes after it.
        held = facts(using, owner, [key for key in part if key not in busy])
        difference = compare(label, held.items(), [timer for timer in free if timer.object_pk not in busy])
        changed += carry_out(connection, difference, overwrite=False)
    return changed, sorted(again)


def saved(
    connection: BaseDatabaseWrapper, label: str, owner: Binding, key: str, *, alone: bool = False
) -> bool:
    """Make the timers of one record what its row says in the open transaction, under its lock.

    False when something is left to be done in a transaction of its own (``alone``): a timer that somebody else is
    changing, since what holds records must not wait for whoever may wait for them; and on MariaDB and MySQL a timer
    that is not there yet, since inserting it may lock its neighbours, too.
    """
    held = facts(connection.alias, owner, [key], lock=True)
    free, busy = _locked(connection, label, [key], wait=alone)
    if busy:
        return False
    difference = compare(label, held.items(), free)
    later = connection.vendor == "mysql" and not alone and bool(difference.missing)
    if later:
        difference.missing.clear()
    carry_out(connection, difference, overwrite=True)
    return not later


def _locked(
    connection: BaseDatabaseWrapper, label: str, keys: Collection[str], *, wait: bool = False
) -> tuple[list[Timer], set[str]]:
    """The timers of these records, locked, and the records of which somebody else holds or has just replaced one.

    Whoever does it looks at the record, too, but maybe before what is known here.
    """
    seen = list(of_records(connection.alias, label, keys))
    features = connection.features
    if not (seen and features.has_select_for_update):
        return seen, set()
    rows = Timer.objects.using(connection.alias).filter(pk__in=[timer.pk for timer in seen]).order_by("pk")
    free = list(rows.select_for_update(skip_locked=features.has_select_for_update_skip_locked and not wait))
    mine = {timer.pk for timer in free}
    return free, {timer.object_pk for timer in seen if timer.pk not in mine and not wait}


def carry_out(connection: BaseDatabaseWrapper, difference: Difference, *, overwrite: bool) -> int:
    """Remove, change and set timers; how many."""
    using = connection.alias
    if len(difference.moved) == 1:
        difference.moved[0].save(using=using, update_fields=_WRITTEN)
    elif difference.moved:
        Timer.objects.using(using).bulk_update(difference.moved, _WRITTEN, batch_size=100)
    if overwrite:
        # Not removed: a transaction that saves several records would lock gaps in which another inserts.
        for part in parts(connection, difference.wrong):
            rows = Timer.objects.using(using).filter(pk__in=[timer.pk for timer in part])
            rows.update(fires_at=None, fired=True, lease_until=None, holder="")
    else:
        remove(connection, difference.wrong)
    if difference.missing:
        _insert(connection, difference.missing, overwrite=overwrite)
    now = timezone.now()
    if any(timer.due_at <= now for timer in (*difference.moved, *difference.missing)):
        offer("timers", using)
    return len(difference.wrong) + len(difference.moved) + len(difference.missing)


def parts(connection: BaseDatabaseWrapper, timers: list[Timer]) -> list[list[Timer]]:
    """Timers as they can be written together.

    MariaDB and MySQL read the whole of a small table for a list of keys, and wait for rows that are not on it.
    """
    if connection.vendor == "mysql":
        return [[timer] for timer in timers]
    return [timers] if timers else []


def remove(connection: BaseDatabaseWrapper, timers: Sequence[Timer]) -> int:
    """Remove these timers, as far as they are still held, or free, as they were read; how many."""
    if not timers:
        return 0
    if connection.vendor != "mysql":
        rows: QuerySet[Timer] = QuerySet(Timer, using=connection.alias)
        held = {timer.holder for timer in timers}
        return rows.filter(pk__in=[timer.pk for timer in timers], holder__in=held)._raw_delete(
            connection.alias
        )
    table = connection.ops.quote_name(Timer._meta.db_table)
    with connection.cursor() as cursor:  # see parts()
        cursor.executemany(
            f"DELETE FROM {table} WHERE id = %s AND holder = %s",  # noqa: S608
            [(timer.pk, timer.holder) for timer in timers],
        )
        return int(cursor.rowcount)


def _insert(connection: BaseDatabaseWrapper, timers: list[Timer], *, overwrite: bool) -> None:
    rows = Timer.objects.using(connection.alias)
    if not overwrite:
        rows.bulk_create(timers, ignore_conflicts=True, batch_size=AT_ONCE)
        return
    targets = connection.features.supports_update_conflicts_with_target
    rows.bulk_create(
        timers,
        update_conflicts=True,
        unique_fields=["model_label", "object_pk", "event"] if targets else None,
        update_fields=_WRITTEN,
    )
