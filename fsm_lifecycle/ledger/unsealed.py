"""Owns reading what may be sealed: committed entries as raw rows, each with its hash computed anew.

Must not know the tree, nor who seals when.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, Final, NamedTuple

from django.db.backends.base.base import BaseDatabaseWrapper

from fsm_lifecycle.ledger import raw_entry
from fsm_lifecycle.ledger.entry import TransitionLog
from fsm_lifecycle.ledger.horizon import Range
from fsm_lifecycle.ledger.leaf import LogLeaf
from fsm_lifecycle.ledger.raw_entry import RawEntry

#: So many ranges or keys go into one statement.
_AT_ONCE: Final = 100
_DAY: Final = 86_400_000_000
_EPOCH: Final = date(1970, 1, 1)


class Candidate(NamedTuple):
    """One committed entry."""

    key: int
    record: tuple[str, str]
    """``app.model`` and the key as text."""
    sequence: int
    entry_hash: str
    """As it is stored."""
    sound: bool
    """Whether that is the hash of the row's values."""
    follows_unsealed: bool
    """Whether the record's entry before this one is there and was not sealed when this one was read."""
    counted: tuple[Any, ...]
    """What the rollup counts it under (``rollup.KEYS``); empty when it is not sound."""


def unread(
    connection: BaseDatabaseWrapper, ranges: Sequence[Range], batch_size: int
) -> Iterator[list[Candidate]]:
    """The entries in these ascending ranges of keys, ascending, in batches."""
    small: list[Range] = []
    for one in ranges:
        if one[1] - one[0] < batch_size:
            small.append(one)
            if len(small) == _AT_ONCE:
                yield from _some(connection, small)
                small = []
        else:
            yield from _some(connection, small)
            small = []
            yield from _windows(connection, one, batch_size)
    yield from _some(connection, small)


def _some(connection: BaseDatabaseWrapper, ranges: Sequence[Range]) -> Iterator[list[Candidate]]:
    if ranges:
        where = " OR ".join(["e.id BETWEEN %s AND %s"] * len(ranges))
        found = _read(connection, f"{where} ORDER BY e.id", [bound for one in ranges for bound in one])
        if found:
            yield found


def _windows(connection: BaseDatabaseWrapper, whole: Range, batch_size: int) -> Iterator[list[Candidate]]:
    """One long range, in windows that grow where there is little in them.

    With both ends near, PostgreSQL reads a window even where its statistics are from before the log grew; told to take
    the first of what is left, it would sort all of that each time.
    """
    first, last = whole
    width = batch_size
    while first <= last:
        end = min(first + width - 1, last)
        found = _read(connection, "e.id BETWEEN %s AND %s ORDER BY e.id LIMIT %s", [first, end, batch_size])
        if found:
            yield found
        if len(found) == batch_size:
            first, width = found[-1].key + 1, batch_size
        else:
            first = end + 1
            width *= 1 if len(found) > batch_size // 2 else 4


def by_key(connection: BaseDatabaseWrapper, keys: Sequence[int]) -> list[Candidate]:
    """The entries with these keys, each record's in the order of its sequence."""
    found: list[Candidate] = []
    for start in range(0, len(keys), _AT_ONCE):
        part = keys[start : start + _AT_ONCE]
        found += _read(connection, f"e.id IN ({', '.join(['%s'] * len(part))})", list(part))
    return sorted(found, key=lambda one: (one.record, one.sequence))


def _read(connection: BaseDatabaseWrapper, where: str, parameters: list[Any]) -> list[Candidate]:
    log = connection.ops.quote_name(TransitionLog._meta.db_table)
    leaf = connection.ops.quote_name(LogLeaf._meta.db_table)
    # A subquery that yields a value is run for each row by its indexes; PostgreSQL may turn EXISTS into a scan of both
    # tables.
    before = (
        f"(SELECT l.leaf_index IS NULL FROM {log} p LEFT JOIN {leaf} l ON l.entry_id = p.id "  # noqa: S608
        "WHERE p.model_label = e.model_label AND p.object_pk = e.object_pk AND p.sequence = e.sequence - 1)"
    )
    columns = raw_entry.columns(connection, bodies=False)
    read = raw_entry.reader(connection)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {before}, {columns} FROM {log} e WHERE {where}", parameters)  # noqa: S608
        return [_candidate(bool(row[0]), read(row[1:])) for row in cursor.fetchall()]


def _candidate(follows_unsealed: bool, entry: RawEntry) -> Candidate:
    try:
        sound = entry.computed_hash() == entry.entry_hash
    except ValueError:
        sound = False
    return Candidate(
        entry.id,
        (entry.model_label, entry.object_pk),
        entry.sequence,
        entry.entry_hash,
        sound,
        follows_unsealed,
        _counted(entry) if sound else (),
    )


def _counted(entry: RawEntry) -> tuple[Any, ...]:
    return (
        _day(entry.at // _DAY),
        entry.model_label,
        entry.kind,
        entry.event or "",
        entry.from_state or "",
        entry.to_state or "",
        entry.actor_kind,
    )


@lru_cache(maxsize=64)
def _day(number: int) -> date:
    return _EPOCH + timedelta(days=number)
