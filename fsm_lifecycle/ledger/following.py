"""Owns following the log: every entry that commits comes to each follower at least once, none that rolled back.

An entry has its key before its transaction commits, so a place in the log is a ``Horizon``, not a number. What a
follower does and its new place are written in one transaction: who is killed in between begins where it was. The
horizon is looked at before that transaction opens, so that at any isolation what is read is not older than the look.

Must not know who follows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from django.db import DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Q
from django.utils import timezone

from fsm_lifecycle.ledger.entry import TransitionLog
from fsm_lifecycle.ledger.horizon import Gaps, Horizon, Range, Watch, look
from fsm_lifecycle.ledger.log_cursor import LogCursor
from fsm_lifecycle.transactions import is_busy, writing

#: So many ranges of keys go into one statement.
_AT_ONCE: Final = 100
#: So many of the newest keys are looked through for missing ones when a follower begins at the end of the log.
_RECENT: Final = 20_000

#: What a follower does with entries, ascending by key, in the open transaction. It may see an entry again.
Handle = Callable[[BaseDatabaseWrapper, Sequence[TransitionLog]], None]


def follow(using: str, name: str, handle: Handle, *, batch_size: int = 500, from_start: bool = False) -> int:
    """Hand the next entries to a follower, in one transaction with its place; how many they were.

    0: there is nothing new, or another process is at it. A new follower begins with what commits from now on, or
    ``from_start`` with the oldest entry. What ``handle`` raises leaves everything as it was.
    """
    seen = LogCursor.objects.using(using).filter(name=name).first() or begin(
        using, name, from_start=from_start
    )
    connection = connections[using]
    horizon = Horizon.of(seen)
    watch = look(connection, horizon.settled)
    if watch.top < horizon.settled:
        horizon = Horizon()  # the log was emptied
    if not horizon.unread(watch):
        return 0
    try:
        with writing(using, savepoint=True) as connection:
            return _follow(connection, seen, horizon, watch, handle, batch_size)
    except DatabaseError as error:
        if not is_busy(error):
            raise
        return 0


def _follow(
    connection: BaseDatabaseWrapper,
    seen: LogCursor,
    horizon: Horizon,
    watch: Watch,
    handle: Handle,
    batch_size: int,
) -> int:
    rows = LogCursor.objects.using(connection.alias).filter(pk=seen.pk)
    skips = connection.features.has_select_for_update_skip_locked
    cursor = rows.select_for_update(skip_locked=skips).first()
    if cursor is None or (cursor.settled_id, cursor.barrier) != (seen.settled_id, seen.barrier):
        return 0  # somebody else is at it, or was faster
    count, gaps, watch = _hand_over(connection, horizon, watch, handle, batch_size)
    after = horizon.advanced(watch, gaps)
    if after != Horizon.of(cursor):
        after.store(cursor)
        cursor.moved_at = timezone.now()
        cursor.save(using=connection.alias, update_fields=["settled_id", "barrier", "moved_at"])
    return count


def _hand_over(
    connection: BaseDatabaseWrapper, horizon: Horizon, watch: Watch, handle: Handle, batch_size: int
) -> tuple[int, list[Range] | None, Watch]:
    """All that was missing, and one batch of what is beyond; with what is missing still, and how far it went."""
    missing = [one for one in horizon.unread(watch) if one[0] <= horizon.top]
    beyond = (horizon.top + 1, watch.top)
    count = 0
    keys: list[int] = []
    for batch in _read(connection, missing, batch_size):
        handle(connection, batch)
        keys += [entry.pk for entry in batch]
        count += len(batch)
    if beyond[0] <= beyond[1]:
        found = list(_entries(connection).filter(pk__gte=beyond[0], pk__lte=beyond[1])[:batch_size])
        if found:
            handle(connection, found)
            keys += [entry.pk for entry in found]
            count += len(found)
        if len(found) == batch_size:
            watch = replace(watch, top=found[-1].pk)
            beyond = (beyond[0], watch.top)
        missing = [*missing, beyond]
    gaps = Gaps(missing)
    gaps.saw(keys)
    return count, gaps.left(), watch


def _entries(connection: BaseDatabaseWrapper):  # type: ignore[no-untyped-def]
    return TransitionLog.objects.using(connection.alias).order_by("pk")


def _read(
    connection: BaseDatabaseWrapper, ranges: Sequence[Range], batch_size: int
) -> Iterator[list[TransitionLog]]:
    for start in range(0, len(ranges), _AT_ONCE):
        where = Q(pk__in=[])
        for first, last in ranges[start : start + _AT_ONCE]:
            where |= Q(pk=first) if first == last else Q(pk__gte=first, pk__lte=last)
        rows = _entries(connection).filter(where)
        page = list(rows[:batch_size])
        while page:
            yield page
            page = list(rows.filter(pk__gt=page[-1].pk)[:batch_size]) if len(page) == batch_size else []


def begin(using: str, name: str, *, from_start: bool = False) -> LogCursor:
    """The place of a follower, made where there is none: the end of the log as it is now, or its start."""
    horizon = Horizon() if from_start else end_of_log(using)
    cursor = LogCursor(name=name)
    horizon.store(cursor)
    found, _ = LogCursor.objects.using(using).get_or_create(
        name=name, defaults={"settled_id": cursor.settled_id, "barrier": cursor.barrier}
    )
    return found


def end_of_log(using: str) -> Horizon:
    """The place behind everything that is committed now. What commits later, under whatever key, is beyond it."""
    connection = connections[using]
    watch = look(connection)
    first = max(watch.top - _RECENT, 0) + 1
    if watch.top == 0 or watch.open == frozenset():
        return Horizon(watch.top)
    gaps = Gaps([(first, watch.top)])
    gaps.saw(_entries(connection).filter(pk__gte=first).values_list("pk", flat=True))
    return Horizon(first - 1).advanced(watch, gaps.left())
