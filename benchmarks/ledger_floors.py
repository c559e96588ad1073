"""The floors of sealing and verifying: what somebody writes who trusts hashes but makes no proofs.

Entries are read with SQL, hashed with `json` and `hashlib` as the specification says, and held against what is stored.
No tree, no checkpoint, no page, no damage foreseen: heads are kept in one dict, and the first fault ends it. Must not
know the package's own reading or hashing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from django.db import connections, transaction

_COLUMNS = (
    "id, model_label, object_pk, sequence, kind, event, from_state, to_state, compensating, actor_kind, actor_id, "
    "recorded_at, occurred_at, cause, definition, body_hash, prev_hash, v, entry_hash, body"
)
_AT_ONCE = 2000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class NotWhole(AssertionError):
    """What was just written does not verify."""


def seal(alias: str, after: int) -> int:
    """Hash every entry above this key anew and insert a leaf for each, in batches, in one transaction."""
    sealed = 0
    with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
        cursor.execute("SELECT coalesce(max(leaf_index) + 1, 0) FROM fsm_lifecycle_logleaf")
        first = cursor.fetchone()[0]
        for page in _pages(alias, after):
            _hold_against(page)
            leaves = [(first + sealed + n, row[0], row[18]) for n, row in enumerate(page)]
            cursor.executemany(
                "INSERT INTO fsm_lifecycle_logleaf (leaf_index, entry_id, entry_hash) VALUES (%s, %s, %s)",
                leaves,
            )
            sealed += len(leaves)
        transaction.set_rollback(True, using=alias)  # those are for the package to write
    return sealed


def verify(alias: str, table: str, *, deep: bool) -> int:
    """Hash every entry anew, follow each record's chain, and hold its end against the record's row."""
    heads: dict[str, tuple[int, str, str]] = {}
    checked = 0
    with transaction.atomic(using=alias):
        for page in _pages(alias, 0):
            _hold_against(page)
            for row in page:
                sequence, _, prev = heads.get(row[2], (0, "", ""))
                if row[3] != sequence + 1 or (sequence and row[16] != prev):
                    raise NotWhole(f"Entry {row[0]} does not follow the one before it.")
                heads[row[2]] = (row[3], row[7], row[18])
                if deep:
                    _hold_body_against(row)
            checked += len(page)
        with connections[alias].cursor() as cursor:
            cursor.execute(f"SELECT id, lifecycle_sequence, state, lifecycle_head FROM {table}")
            if {str(pk): tuple(rest) for pk, *rest in cursor.fetchall()} != heads:
                raise NotWhole(f"{table} is not what its log says.")
    return checked


def _pages(alias: str, after: int) -> Iterator[list[Any]]:
    with closing(connections[alias].cursor()) as cursor:
        while True:
            cursor.execute(
                f"SELECT {_COLUMNS} FROM fsm_lifecycle_transitionlog WHERE id > %s ORDER BY id LIMIT {_AT_ONCE}",
                [after],
            )
            page = cursor.fetchall()
            if not page:
                return
            yield page
            after = page[-1][0]


def _hold_against(page: list[Any]) -> None:
    for row in page:
        if _entry_hash(row) != row[18]:
            raise NotWhole(f"The hash of entry {row[0]} is not that of its values.")


def _dumped(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def _microseconds(moment: Any) -> int:
    if moment.tzinfo is None:  # SQLite keeps UTC without saying so
        moment = moment.replace(tzinfo=UTC)
    return int((moment - _EPOCH) // _MICROSECOND)


def _entry_hash(row: Any) -> str:
    entry = {
        "actor": f"{row[9]}:{row[10]}",
        "at": _microseconds(row[11]),
        "body": row[15],
        "cause": row[13],
        "compensating": bool(row[8]),
        "definition": row[14],
        "event": row[5],
        "from": row[6],
        "kind": row[4],
        "model": row[1],
        "occurred": None if row[12] is None else _microseconds(row[12]),
        "pk": row[2],
        "prev": row[16],
        "seq": row[3],
        "to": row[7],
        "v": row[17],
    }
    return sha256(b"\x00" + _dumped(entry)).hexdigest()


def _hold_body_against(row: Any) -> None:
    digests = {
        name: sha256(b"\x02" + _dumped([name, salt, value])).hexdigest()
        for name, (salt, value) in json.loads(row[19]).items()
    }
    if sha256(b"\x03" + _dumped(digests)).hexdigest() != row[15]:
        raise NotWhole(f"The body of entry {row[0]} is not the one that was hashed.")
