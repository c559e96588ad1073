"""Owns the replay of a model's records, each compared with its own row.

Runs no guard, no effect and no webhook. Must not know the table in the code.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from fsm_lifecycle.ledger.entry import TransitionLog
from fsm_lifecycle.ledger.finding import Finding
from fsm_lifecycle.ledger.folding import Fold, Tables
from fsm_lifecycle.ledger.raw_entry import columns, reader
from fsm_lifecycle.ledger.reading import reading
from fsm_lifecycle.ledger.scanning import any_text, scan
from fsm_lifecycle.ledger.verify_records import Host, Records, Tail, compared
from fsm_lifecycle.ledger.verify_scope import Progress, Scope, findings

#: So many records are compared together.
_AT_ONCE: Final = 500


@dataclass(slots=True)
class Replayed:
    """What folding one record's entries gave, and what speaks against it."""

    tail: Tail
    entries: int
    wrong: list[Finding] = field(default_factory=list)
    """Faults of the entries, then what differs from the record."""


def replay_records(
    using: str,
    model_label: str,
    object_pk: str | None = None,
    *,
    until: datetime | int | None = None,
    progress: Progress | None = None,
) -> Iterator[Replayed]:
    """Fold the entries of every record of a label, or of one, and compare each with its row.

    ``until``: a sequence or moment (inclusive); then nothing is compared, for the record has gone on since. At the
    end come rows without a log, with a sequence of 0.
    """
    with reading(using) as connection, any_text(connection):
        scope = Scope(connection)
        host = None if until is not None else Records(scope).hosts.get(model_label)
        waiting: list[Replayed] = []
        total = _count(scope, model_label) if progress is not None and object_pk is None else 0
        done = 0
        for one in _folded(scope, model_label, object_pk, until):
            waiting.append(one)
            done += one.entries
            if len(waiting) == _AT_ONCE:
                yield from _compared(host, waiting)
                waiting = []
                if progress is not None:
                    progress(min(done, total), total)
        yield from _compared(host, waiting)
        if host is not None:
            rows = host.all() if object_pk is None else iter(host.rows([object_pk]).values())
            for finding in host.unlogged(rows):
                yield Replayed(Tail(model_label, finding.record, None, 0, ""), 0, [finding])


def _count(scope: Scope, model_label: str) -> int:
    sql = f"SELECT COUNT(*) FROM {scope.table(TransitionLog)} WHERE model_label = %s"  # noqa: S608
    return int(scope.rows(sql, [model_label])[0][0])


def _folded(
    scope: Scope, model_label: str, object_pk: str | None, until: datetime | int | None
) -> Iterator[Replayed]:
    connection: Any = scope.connection
    read = reader(connection)
    where = ["e.model_label = %s"]
    parameters: list[Any] = [model_label]
    if object_pk is not None:
        where.append("e.object_pk = %s")
        parameters.append(object_pk)
    if isinstance(until, datetime):
        where.append("e.recorded_at <= %s")
        parameters.append(connection.ops.adapt_datetimefield_value(until))
    elif until is not None:
        where.append("e.sequence <= %s")
        parameters.append(min(until, 2**63 - 1))
    select = f"SELECT {columns(connection, bodies=False)} FROM {scope.table(TransitionLog)} e"  # noqa: S608
    order = ["e.model_label", "e.object_pk", "e.sequence"]
    tables = Tables(connection)
    fold: Fold | None = None
    wrong: list[Finding] = []
    for row in scan(connection, select, order, where=" AND ".join(where), parameters=parameters):
        entry = read(row)
        if fold is None or fold.object_pk != entry.object_pk:
            if fold is not None:
                yield _replayed(fold, wrong)
            fold, wrong = Fold(entry.model_label, entry.object_pk, tables), []
        if faults := fold.step(entry):
            wrong += findings(fold.model_label, fold.object_pk, faults)
    if fold is not None:
        yield _replayed(fold, wrong)


def _replayed(fold: Fold, wrong: list[Finding]) -> Replayed:
    tail = Tail(fold.model_label, fold.object_pk, fold.state, fold.sequence, fold.head)
    return Replayed(tail, fold.entries, wrong)


def _compared(host: Host | None, waiting: list[Replayed]) -> Iterator[Replayed]:
    rows = {} if host is None else host.rows([one.tail.object_pk for one in waiting])
    for one in waiting:
        if host is not None:
            one.wrong += compared(one.tail, rows.get(one.tail.object_pk))
        yield one
