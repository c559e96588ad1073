"""Owns the check of chains: every record's entries folded, then held against the record itself.

Must not know the tree.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from django.db import DatabaseError, connections, router
from django.db.backends.base.base import BaseDatabaseWrapper

from fsm_lifecycle.ledger.entry import TransitionLog
from fsm_lifecycle.ledger.finding import Finding, number, record_name, shown
from fsm_lifecycle.ledger.folding import Fold, Tables, is_newer
from fsm_lifecycle.ledger.raw_entry import RawEntry, columns, reader
from fsm_lifecycle.ledger.scanning import scan
from fsm_lifecycle.ledger.verify_bodies import Bodies
from fsm_lifecycle.ledger.verify_records import Records, Tail
from fsm_lifecycle.ledger.verify_scope import Scope, findings

#: So many causes are looked up together.
_AT_ONCE: Final = 500

_FIRST: Final = (
    "SELECT model_label, object_pk, MIN(sequence) AS first_sequence FROM {} WHERE recorded_at >= %s "
    "GROUP BY model_label, object_pk"
)
_FROM_THERE: Final = (
    "s.model_label = e.model_label AND s.object_pk = e.object_pk AND e.sequence >= s.first_sequence - 1"
)

ORDER: Final = ("e.model_label", "e.object_pk", "e.sequence")

_is_hash = re.compile("[0-9a-f]{64}").fullmatch


def verify_chains(scope: Scope, records: Records) -> Iterator[Finding]:
    """Everything that one record's entries can say: about each other, their bodies, causes and their record."""
    tables = Tables(scope.connection)
    causes = Causes(scope)
    current: _Chain | None = None
    for entry, first in _entries(scope):
        if current is None or not current.holds(entry):
            if current is not None:
                yield from current.finish()
                yield from records.compare(current.tail())
            current = _Chain(scope, entry, tables)
        if first is not None and entry.sequence < first:
            current.fold.begin_after(entry)
            continue
        yield from current.step(entry)
        if entry.cause is not None:
            yield from causes.add(entry)
        scope.checked["entries"] += 1
        scope.advance()
    if current is not None:
        yield from current.finish()
        yield from records.compare(current.tail())
    yield from records.flush()
    yield from causes.flush()
    if tables.unjudged:
        scope.leave_out(
            f"Whether {tables.unjudged:,} entries tell of steps that were possible: the definition they name is not "
            "the one they were made under."
        )


def _entries(scope: Scope) -> Iterator[tuple[RawEntry, int | None]]:
    """The entries record by record. With ``since``: those from the sequence given with each, and the one before."""
    connection, log = scope.connection, scope.table(TransitionLog)
    read = reader(connection)
    select = f"SELECT {columns(connection, bodies=scope.deep)}"
    where, parameters = "", []
    if scope.record is not None:
        where, parameters = "e.model_label = %s AND e.object_pk = %s", list(scope.record)
    if scope.since is None:
        select += f" FROM {log} e"
        for row in scan(connection, select, ORDER, where=where, parameters=parameters):
            yield read(row), None
        return
    # The entry before the first one is what that one has to follow.
    select += f", s.first_sequence FROM {log} e JOIN ({_FIRST.format(log)}) s ON {_FROM_THERE}"
    moment: Any = connection.ops.adapt_datetimefield_value(scope.since)
    for row in scan(connection, select, ORDER, where=where, parameters=[moment, *parameters]):
        yield read(row[:-1]), row[-1]


class _Chain:
    """One record under way."""

    __slots__ = ("bodies", "fold")

    def __init__(self, scope: Scope, entry: RawEntry, tables: Tables) -> None:
        self.fold = Fold(entry.model_label, entry.object_pk, tables)
        self.bodies = Bodies(scope, begun_later=scope.since is not None) if scope.deep else None

    def holds(self, entry: RawEntry) -> bool:
        return self.fold.object_pk == entry.object_pk and self.fold.model_label == entry.model_label  # type: ignore[no-any-return]

    def step(self, entry: RawEntry) -> Iterator[Finding]:
        faults = self.fold.step(entry)
        if self.bodies is not None and not is_newer(entry):
            faults += self.bodies.step(entry)
        if faults:
            yield from findings(self.fold.model_label, self.fold.object_pk, faults)

    def finish(self) -> Iterator[Finding]:
        if self.bodies is not None and (faults := self.bodies.finish()):
            yield from findings(self.fold.model_label, self.fold.object_pk, faults)

    def tail(self) -> Tail:
        fold = self.fold
        return Tail(fold.model_label, fold.object_pk, fold.state, fold.sequence, fold.head)


class Causes:
    """The causes that entries name, looked up many at a time: here, and in the other ledgers of the project."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._waiting: list[tuple[str, str, int | None]] = []

    def add(self, entry: RawEntry) -> Iterator[Finding]:
        """Remember what an entry names as its cause."""
        name = record_name(entry.model_label, entry.object_pk)
        cause: Any = entry.cause
        if not isinstance(cause, str) or not _is_hash(cause):
            yield _dangling(cause, name, number(entry.sequence))
            return
        self._waiting.append((cause, name, number(entry.sequence)))
        if len(self._waiting) >= _AT_ONCE:
            yield from self.flush()

    def flush(self) -> Iterator[Finding]:
        """Look up what is remembered."""
        missing = {cause for cause, _, _ in self._waiting}
        missing -= _present(self._scope.connection, missing)
        for alias in connections if missing else ():
            # A firing on a record of one database can lead to one on a record of another.
            if alias != self._scope.connection.alias and router.allow_migrate_model(alias, TransitionLog):
                try:
                    missing -= _present(connections[alias], missing)
                except DatabaseError:
                    self._scope.leave_out(f"Causes in the database {alias!r}: its log cannot be read.")
        for cause, name, sequence in self._waiting:
            if cause in missing:
                yield _dangling(cause, name, sequence)
        self._waiting.clear()


def _present(connection: BaseDatabaseWrapper, hashes: set[str]) -> set[str]:
    if not hashes:
        return set()
    table = connection.ops.quote_name(TransitionLog._meta.db_table)
    places = ", ".join(["%s"] * len(hashes))
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT entry_hash FROM {table} WHERE entry_hash IN ({places})", list(hashes))  # noqa: S608
        return {row[0] for row in cursor.fetchall()}


def _dangling(cause: object, name: str, sequence: int | None) -> Finding:
    return Finding(
        "DANGLING_CAUSE", name, sequence, f"the entry {shown(cause)} as its cause", "no such entry"
    )


def since_text(moment: datetime) -> str:
    """A moment as reports name it."""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
