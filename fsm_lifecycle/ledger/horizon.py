"""Owns the horizon: up to which key no entry can turn up any more, and which keys below may still be missing.

An entry has its key before its transaction commits, so a lower key can appear after a higher one. Whoever may
still hold a key that was not seen is asked of the database *after* the highest key was read: PostgreSQL names the
transactions that hold the lock which every INSERT into the log takes before its key, MariaDB and MySQL those that
are open at all, SQLite has one writer. Once none of them is left, a key that is still missing was rolled back.

Must not know how entries are sealed.
"""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol
from weakref import WeakKeyDictionary

from django.db import DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.transaction import atomic

from fsm_lifecycle.ledger.entry import TransitionLog

#: Seconds after which a missing key is given up where the database does not say who is at work.
GIVEN_UP_AFTER: Final = 3600
#: Seconds that one generation lasts where the database does not say who is at work.
_BUCKET: Final = 300
#: Seconds that InnoDB may answer from memory who is at work (a tenth), and a little more.
_INNODB_REMEMBERS: Final = 0.12
#: How often it is asked again before its answer counts as none.
_INNODB_TRIES: Final = 24
#: The lock of a server's, by name, of who asks, and the seconds it is waited for.
_INNODB_TURN: Final = "fsm_lifecycle asks innodb_trx"
_INNODB_PATIENCE: Final = 5
#: So many ranges of missing keys are remembered; beyond that the whole stretch is read again.
_MOST_GAPS: Final = 2000
#: So many are counted while reading.
_MOST_COUNTED: Final = 50_000
_MOST_GENERATIONS: Final = 32

#: Keys from the first to the second, both included.
Range = tuple[int, int]


class Kept(Protocol):
    """A row that keeps a horizon: ``SealProgress``, ``LogCursor``."""

    settled_id: Any
    barrier: Any


@dataclass(frozen=True, kw_only=True)
class Generation:
    """A stretch of keys that was read, up to ``top``, and who was at work then."""

    top: int
    open: frozenset[str] | None
    """The transactions that may hold a missing key; ``None`` when the database does not say."""
    at: float
    """When it was read, in seconds since 1970."""
    gaps: tuple[Range, ...] | None
    """The keys that were missing; ``None`` when they were too many to remember."""

    def is_over(self, watch: Watch) -> bool:
        """Whether every transaction that may hold a missing key has ended."""
        if self.open is None or watch.open is None:
            return watch.at - self.at > GIVEN_UP_AFTER
        return self.open.isdisjoint(watch.open)


@dataclass(frozen=True, kw_only=True)
class Watch:
    """One look at the database, taken before the entries are read."""

    top: int
    """The highest key there is."""
    open: frozenset[str] | None
    """Who may hold a lower one, asked after ``top`` was read; ``None`` when the database does not say."""
    at: float


@dataclass(frozen=True)
class Horizon:
    """How far the log was read: everything up to ``settled``, and some of what is beyond."""

    settled: int = 0
    generations: tuple[Generation, ...] = field(default=())

    @property
    def top(self) -> int:
        """The highest key that was looked at."""
        return self.generations[-1].top if self.generations else self.settled

    def unread(self, watch: Watch) -> list[Range]:
        """The keys up to the watch's top that may be new: the gaps, and what is beyond."""
        found = [part for generation in self._stretches() for part in generation]
        if watch.top > self.top:
            found.append((self.top + 1, watch.top))
        return found

    def advanced(self, watch: Watch, gaps: Sequence[Range] | None) -> Horizon:
        """The horizon after ``unread(watch)`` was read and these keys of it, ascending, were not there.

        ``None``: they were too many to remember.
        """
        generations = list(self.generations)
        if gaps is not None:
            generations = [
                replace(one, gaps=part) for one, part in zip(generations, self._parted(gaps), strict=True)
            ]
        if watch.top > self.top:
            beyond = None if gaps is None else _remembered([gap for gap in gaps if gap[0] > self.top])
            _join(generations, Generation(top=watch.top, open=watch.open, at=watch.at, gaps=beyond))
        generations = [
            replace(one, open=frozenset(), gaps=()) if one.is_over(watch) else one for one in generations
        ]
        if watch.open is not None:
            # Whoever holds one of its keys is among those who are at work now.
            generations = [replace(one, open=watch.open) if one.open is None else one for one in generations]
        settled = self.settled
        while generations and generations[0].gaps == () and generations[0].is_over(watch):
            settled = generations.pop(0).top
        return Horizon(settled, tuple(generations))

    def _parted(self, gaps: Sequence[Range]) -> Iterator[tuple[Range, ...] | None]:
        """The gaps of each generation."""
        below = self.settled
        for one in self.generations:
            yield _remembered([gap for gap in gaps if below < gap[0] <= one.top])
            below = one.top

    def _stretches(self) -> Iterator[Sequence[Range]]:
        """Of each generation, the keys to look at again."""
        below = self.settled
        for one in self.generations:
            yield one.gaps if one.gaps is not None else ((below + 1, one.top),)
            below = one.top

    # --- as it is stored ------------------------------------------------------------------------------------

    @classmethod
    def of(cls, progress: Kept) -> Horizon:
        """The horizon that a row holds."""
        return cls(progress.settled_id, tuple(_read(one) for one in progress.barrier or ()))

    def store(self, progress: Kept) -> None:
        """Put it into a row, which is not saved."""
        progress.settled_id = self.settled
        progress.barrier = [_written(one) for one in self.generations] or None


class Gaps:
    """What is left of ascending ranges of keys when those that are there are taken out, piece by piece."""

    def __init__(self, ranges: Iterable[Range]) -> None:
        self._ranges = list(reversed(ranges if isinstance(ranges, list) else list(ranges)))
        self._left: list[Range] = []

    def saw(self, keys: Iterable[int]) -> None:
        """These keys are there. They ascend, also from one call to the next."""
        ranges, left = self._ranges, self._left
        for key in keys:
            while ranges and ranges[-1][1] < key:
                left.append(ranges.pop())
            if not ranges or key < ranges[-1][0]:
                continue
            first, last = ranges.pop()
            if first < key:
                left.append((first, key - 1))
            if key < last:
                ranges.append((key + 1, last))
        if len(left) > _MOST_COUNTED:
            del left[_MOST_COUNTED + 1 :]

    def left(self) -> list[Range] | None:
        """The keys that are missing; ``None`` when there are too many ranges to tell."""
        found = [*self._left, *reversed(self._ranges)]
        return found if len(found) <= _MOST_COUNTED else None


def _remembered(gaps: list[Range]) -> tuple[Range, ...] | None:
    return tuple(gaps) if len(gaps) <= _MOST_GAPS else None


def _join(generations: list[Generation], fresh: Generation) -> None:
    """Add a generation, as part of the last one where that makes no difference or there are too many."""
    last = generations[-1] if generations else None
    if last is None or not (_alike(last, fresh) or len(generations) >= _MOST_GENERATIONS):
        generations.append(fresh)
        return
    unknown = last.open is None or fresh.open is None
    generations[-1] = Generation(
        top=fresh.top,
        open=None if unknown else (last.open or frozenset()) | (fresh.open or frozenset()),
        at=fresh.at,
        gaps=None if last.gaps is None or fresh.gaps is None else _remembered([*last.gaps, *fresh.gaps]),
    )


def _alike(last: Generation, fresh: Generation) -> bool:
    if last.open is None and fresh.open is None:
        return last.at // _BUCKET == fresh.at // _BUCKET
    return last.open == fresh.open


def _written(one: Generation) -> dict[str, Any]:
    return {
        "top": one.top,
        "open": None if one.open is None else sorted(one.open),
        "at": one.at,
        "gaps": None if one.gaps is None else [list(gap) for gap in one.gaps],
    }


def _read(one: dict[str, Any]) -> Generation:
    return Generation(
        top=one["top"],
        open=None if one["open"] is None else frozenset(one["open"]),
        at=one["at"],
        gaps=None if one["gaps"] is None else tuple((first, last) for first, last in one["gaps"]),
    )


# --- asking the database ------------------------------------------------------------------------------------


def look(connection: BaseDatabaseWrapper, settled: int = 0) -> Watch:
    """Read the highest key, then who may hold a lower one; nobody is asked for where all up to it is ``settled``.

    Nor is anybody asked for again by a connection that found nobody below this very entry: who came later has higher
    keys. That spares MariaDB, where to ask takes long, one question for each who follows the log.
    """
    connection = connections[connection.alias]  # itself, not a proxy
    newest = _newest(connection)
    top = newest[0]
    if top == settled or _nobody_below.get(connection) == newest:
        return Watch(top=top, open=frozenset(), at=time.time())
    writers = open_writers(connection)
    if writers is not None and not writers:
        _nobody_below[connection] = newest
    return Watch(top=top, open=writers, at=time.time())


#: The newest entry for which a connection found that nobody held a lower key; by its hash too, should a log be emptied
#: and grow again. Each connection has its own, because none sees its own transaction among the open ones.
_nobody_below: WeakKeyDictionary[BaseDatabaseWrapper, tuple[int, str]] = WeakKeyDictionary()


def _newest(connection: BaseDatabaseWrapper) -> tuple[int, str]:
    """The highest key and the hash of its entry."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT id, entry_hash FROM {_log(connection)} ORDER BY id DESC LIMIT 1")  # noqa: S608 - ours
        return cursor.fetchone() or (0, "")


def open_writers(connection: BaseDatabaseWrapper) -> frozenset[str] | None:
    """The transactions of others that may hold the key of an entry; ``None`` when the database does not say."""
    if connection.vendor == "postgresql":
        return _holders_of_the_log(connection)
    if connection.vendor == "mysql":
        ages = open_in_innodb(connection)
        return None if ages is None else frozenset(ages)
    return frozenset()


def _log(connection: BaseDatabaseWrapper) -> str:
    return connection.ops.quote_name(TransitionLog._meta.db_table)


def _holders_of_the_log(connection: BaseDatabaseWrapper) -> frozenset[str]:
    """Who inserted into the log and has not ended. https://www.postgresql.org/docs/current/view-pg-locks.html

    The lock is taken before the key and released after the commit can be seen. Prepared transactions hold it too.
    """
    sql = (
        "SELECT virtualtransaction FROM pg_locks WHERE locktype = 'relation' AND mode = 'RowExclusiveLock' "
        "AND relation = %s::regclass AND pid IS DISTINCT FROM pg_backend_pid() "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [_log(connection)])
        return frozenset(row[0] for row in cursor.fetchall())


def open_in_innodb(connection: BaseDatabaseWrapper) -> dict[str, int] | None:
    """Every open transaction of others to this database and its age in seconds; ``None`` when it does not say.

    It takes the privilege PROCESS to see them.
    InnoDB tells an old list for as long as anybody asks more often than every tenth of a second, so those who ask take
    turns. https://mariadb.com/kb/en/information-schema-innodb_trx-table/
    """
    with _turn(connection):
        for attempt in range(_INNODB_TRIES):
            if attempt:
                time.sleep(_INNODB_REMEMBERS * random.uniform(1, 2))  # noqa: S311 - others may ask without a turn
            try:
                found = _listed_by_innodb(connection)
            except DatabaseError:
                return None
            if found is not None:
                return found
    return None


def _listed_by_innodb(connection: BaseDatabaseWrapper) -> dict[str, int] | None:
    """The open transactions of others; ``None`` when the list is an old one.

    It is fresh when it shows this connection running this very statement. A prepared transaction that lost its
    connection may be anybody's, so it counts.
    """
    sql = (
        "SELECT t.trx_mysql_thread_id = CONNECTION_ID(), t.trx_query, t.trx_mysql_thread_id, t.trx_started, "
        "TIMESTAMPDIFF(SECOND, t.trx_started, NOW()), %s "
        "FROM information_schema.innodb_trx t "
        "LEFT JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id "
        "WHERE COALESCE(p.db, DATABASE()) = DATABASE()"
    )
    mark = secrets.token_hex(8)
    with atomic(using=connection.alias, savepoint=False), connection.cursor() as cursor:
        cursor.execute(f"SELECT 1 FROM {_log(connection)} LIMIT 1")  # noqa: S608 - InnoDB begins a transaction
        cursor.execute(sql, [mark])
        rows = cursor.fetchall()
    if not any(own and mark in (query or "") for own, query, *_ in rows):
        return None
    return {f"{thread} since {started}": age for own, _, thread, started, age, _ in rows if not own}


@contextmanager
def _turn(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Ask while no other process does. Where there are no such locks, or the wait was long, it asks all the same.

    https://mariadb.com/kb/en/get_lock/
    """
    with suppress(DatabaseError), connection.cursor() as cursor:
        cursor.execute("SELECT GET_LOCK(%s, %s)", [_INNODB_TURN, _INNODB_PATIENCE])
    try:
        yield
    finally:
        with suppress(DatabaseError), connection.cursor() as cursor:
            cursor.execute("SELECT RELEASE_LOCK(%s)", [_INNODB_TURN])
