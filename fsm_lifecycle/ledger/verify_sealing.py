"""Owns the check that entries are sealed: none is late, and those of one record are in the tree.

Must not know what entries say.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.db import DatabaseError
from django.utils import timezone

from fsm_lifecycle import conf
from fsm_lifecycle.ledger.entry import TransitionLog
from fsm_lifecycle.ledger.finding import Finding, number, record_name, shown
from fsm_lifecycle.ledger.hashing import microseconds
from fsm_lifecycle.ledger.horizon import open_in_innodb
from fsm_lifecycle.ledger.leaf import LogLeaf
from fsm_lifecycle.ledger.merkle import verify_inclusion
from fsm_lifecycle.ledger.raw_entry import RawEntry, columns, reader
from fsm_lifecycle.ledger.scanning import scan
from fsm_lifecycle.ledger.tiles import TileDamaged, Tiles
from fsm_lifecycle.ledger.verify_checkpoints import CannotVerify, Mark, Marks
from fsm_lifecycle.ledger.verify_scope import Scope
from fsm_lifecycle.ledger.verify_tree import is_hash, without_entry


def verify_sealed(scope: Scope, late: Late | None = None) -> Iterator[Finding]:
    """Every entry without a leaf that should have one by now, or when ``late`` was made."""
    late = late or Late(scope)
    connection = scope.connection
    read = reader(connection)
    select = (
        f"SELECT e.id, {columns(connection, bodies=False)} FROM {scope.table(TransitionLog)} e "  # noqa: S608
        f"LEFT JOIN {scope.table(LogLeaf)} l ON l.entry_id = e.id"
    )
    for row in scan(connection, select, ["e.id"], where="l.entry_id IS NULL"):
        yield from late.judged(read(row[1:]))
    late.tell()


#: How long the oldest transaction of others that inserted into the log is open, in seconds, on PostgreSQL.
_OLDEST: Final = (
    "SELECT extract(epoch FROM clock_timestamp() - min(a.xact_start)) FROM pg_locks l "
    "JOIN pg_stat_activity a ON a.pid = l.pid WHERE l.locktype = 'relation' "
    "AND l.mode = 'RowExclusiveLock' AND l.relation = %s::regclass AND l.pid <> pg_backend_pid() "
    "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


class Late:
    """Which entries without a leaf are late, and which are excused. Made when the database begins to be read."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._now = timezone.now()
        try:
            self._delay = timedelta(seconds=conf.seal_merge_delay())
        except (ValueError, TypeError, OverflowError) as error:
            raise CannotVerify(
                f"FSM_LIFECYCLE['SEAL_MERGE_DELAY'] is no number of seconds: {error}."
            ) from error
        self._silent = False
        """Whether the database does not say which transactions are open."""
        self._since = self._oldest_open()
        """When the oldest transaction began that is still open."""
        self._excused = 0
        self._late = 0
        self._fresh = 0

    def judged(self, entry: RawEntry) -> Iterator[Finding]:
        """Nothing for an entry that is fresh, or younger than a transaction that is still open."""
        at: Any = entry.at
        if type(at) is int and abs(at - microseconds(self._now)) <= self._delay // timedelta(microseconds=1):
            self._fresh += 1
            return
        if (
            self._since is not None
            and type(at) is int
            and microseconds(self._since) <= at <= microseconds(self._now)
        ):
            self._excused += 1
            return
        self._late += 1
        yield Finding(
            "NOT_SEALED",
            record_name(entry.model_label, entry.object_pk),
            number(entry.sequence),
            f"a leaf within {self._delay.total_seconds():g} s after it was recorded",
            f"none, and it was recorded at {_moment(at)}",
        )

    def tell(self) -> None:
        """Say what was not judged."""
        if self._fresh:
            self._scope.leave_out(
                f"{self._fresh:,} entries in the tree: they are younger than {self._delay.total_seconds():g} s and not "
                "sealed yet."
            )
        if self._excused and self._since is not None:
            age = (self._now - self._since).total_seconds()
            self._scope.leave_out(
                f"{self._excused:,} entries in the tree: they are not sealed, and a transaction that began before "
                f"them, {age:,.0f} s ago, is still open."
            )

        if self._late and self._silent:
            self._scope.leave_out(
                "Whether an older transaction is open, which would excuse entries that are not sealed: this account "
                "may not ask (it takes the privilege PROCESS)."
            )

    def _oldest_open(self) -> datetime | None:
        """When the oldest transaction of others began that may have written to the log."""
        connection = self._scope.connection
        if connection.vendor == "sqlite":
            return None  # one writer, and it is not in the way
        try:
            if connection.vendor == "postgresql":
                seconds = self._scope.rows(_OLDEST, [self._scope.table(TransitionLog)])[0][0]
            else:
                ages = open_in_innodb(connection)
                self._silent = ages is None
                seconds = max(ages.values(), default=None) if ages else None
        except DatabaseError:
            self._silent = True
            return None
        return None if seconds is None else self._now - timedelta(seconds=float(seconds))


def _moment(at: Any) -> str:
    if type(at) is not int:
        return shown(at)
    try:
        return f"{datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at):%Y-%m-%d %H:%M:%S} UTC"
    except OverflowError:
        return "a time out of range"


def verify_record_sealed(scope: Scope, late: Late, marks: Marks) -> Iterator[Finding]:
    """The entries of one record: each with its leaf, and proven to be in the newest tree that is relied on."""
    connection = scope.connection
    read = reader(connection)
    select = (
        f"SELECT e.model_label, e.object_pk, e.sequence, l.leaf_index, l.entry_hash, "  # noqa: S608
        f"{columns(connection, bodies=False)} FROM {scope.table(TransitionLog)} e "
        f"LEFT JOIN {scope.table(LogLeaf)} l ON l.entry_id = e.id"
    )
    order = ["e.model_label", "e.object_pk", "e.sequence"]
    where = "e.model_label = %s AND e.object_pk = %s"
    mark, proofs = marks.newest(scope), _Proofs(scope)
    if mark is None:
        scope.leave_out("Whether the record's entries are in the tree: there is no checkpoint.")
    else:
        yield from mark.findings
    for row in scan(connection, select, order, where=where, parameters=list(scope.record or ())):
        index, sealed, entry = row[3], row[4], read(row[5:])
        if index is None:
            yield from late.judged(entry)
            continue
        scope.checked["leaves"] += 1
        if sealed != entry.entry_hash:
            yield without_entry(scope, index, entry.id, sealed)
        if mark is not None and mark.root is not None:
            yield from proofs.of(mark, index, sealed)
    proofs.tell(mark)
    late.tell()


class _Proofs:
    """Proofs from the stored tiles that leaves are in a tree."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._tiles = Tiles(scope.connection.alias)
        self._newer = 0

    def of(self, mark: Mark, index: Any, sealed: Any) -> Iterator[Finding]:
        """What is wrong with the proof of one leaf."""
        if type(index) is int and index >= mark.size:
            self._newer += 1
            return
        assert mark.root is not None
        expected = (
            f"leaf {shown(str(index))} to be in the tree of {mark.size:,} leaves with the root {mark.root}"
        )
        found = "that its proof leads to another root"
        try:
            if type(index) is int and isinstance(sealed, str) and is_hash(sealed):
                path = self._tiles.inclusion(index, mark.size)
                if verify_inclusion(bytes.fromhex(sealed), index, mark.size, path, bytes.fromhex(mark.root)):
                    return
        except (TileDamaged, ValueError) as error:
            found = shown(str(error))
        code = "CHECKPOINT_FORK" if mark.outside else "ROOT_MISMATCH"
        yield Finding(code, None, None, f"{expected}, by {mark.place}", found)

    def tell(self, mark: Mark | None) -> None:
        """Say which leaves no checkpoint covers."""
        if self._newer and mark is not None:
            self._scope.leave_out(
                f"Whether {self._newer:,} of the record's entries are in the tree: {mark.place} is older."
            )
