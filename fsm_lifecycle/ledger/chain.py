"""The chain: how an entry is composed, hashed and inserted.

An entry names the hash of the record's entry before it, so the chain needs no row but the record's own. SQL
is written once per database and run on the cursor. Must not know why an entry is made.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cache, lru_cache
from typing import Any, Final

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Max

from fsm_lifecycle.append_only import key_text
from fsm_lifecycle.ledger.entry import TransitionLog
from fsm_lifecycle.ledger.hashing import entry_hash, genesis, microseconds

#: The version of the entry format.
VERSION: Final = 1

#: The columns of an entry in the order in which they are inserted.
COLUMNS: Final = (
    "v",
    "model_label",
    "object_pk",
    "sequence",
    "kind",
    "event",
    "from_state",
    "to_state",
    "compensating",
    "actor_kind",
    "actor_id",
    "recorded_at",
    "occurred_at",
    "cause",
    "definition",
    "body",
    "body_hash",
    "prev_hash",
    "entry_hash",
    "idempotency_key",
    "idempotency_digest",
)
_TIMES: Final = (COLUMNS.index("recorded_at"), COLUMNS.index("occurred_at"))
_POSTGRES_TYPES: Final = {
    "v": "smallint",
    "sequence": "bigint",
    "compensating": "boolean",
    "recorded_at": "timestamptz",
    "occurred_at": "timestamptz",
}


def hashed_values(row: Mapping[str, Any]) -> dict[str, Any]:
    """The sixteen values that an entry's hash covers, from its columns."""
    occurred = row["occurred_at"]
    return {
        "actor": f"{row['actor_kind']}:{row['actor_id']}",
        "at": microseconds(row["recorded_at"]),
        "body": row["body_hash"],
        "cause": row["cause"],
        "compensating": bool(row["compensating"]),
        "definition": row["definition"],
        "event": row["event"],
        "from": row["from_state"],
        "kind": row["kind"],
        "model": row["model_label"],
        "occurred": None if occurred is None else microseconds(occurred),
        "pk": row["object_pk"],
        "prev": row["prev_hash"],
        "seq": row["sequence"],
        "to": row["to_state"],
        "v": row["v"],
    }


def compose(
    *,
    model_label: str,
    object_pk: str,
    sequence: int,
    prev_hash: str,
    kind: str,
    from_state: str | None,
    to_state: str | None,
    actor_kind: str,
    actor_id: str,
    recorded_at: datetime,
    definition: str,
    body: str,
    body_hash: str,
    event: str | None = None,
    compensating: bool = False,
    occurred_at: datetime | None = None,
    cause: str | None = None,
    idempotency_key: str | None = None,
    idempotency_digest: str | None = None,
) -> dict[str, Any]:
    """A complete row of the log, hash included. An empty ``prev_hash`` begins the record's chain."""
    row: dict[str, Any] = {
        "v": VERSION,
        "model_label": model_label,
        "object_pk": object_pk,
        "sequence": sequence,
        "kind": kind,
        "event": event,
        "from_state": from_state,
        "to_state": to_state,
        "compensating": compensating,
        "actor_kind": actor_kind,
        "actor_id": actor_id,
        "recorded_at": recorded_at,
        "occurred_at": occurred_at,
        "cause": cause,
        "definition": definition,
        "body": body,
        "body_hash": body_hash,
        "prev_hash": prev_hash or genesis(model_label, object_pk),
        "entry_hash": "",
        "idempotency_key": idempotency_key,
        "idempotency_digest": idempotency_digest,
    }
    row["entry_hash"] = entry_hash(hashed_values(row))
    return row


@cache
def _insert_sql(vendor: str, quote: str, table: str, returning: bool) -> str:
    columns = ", ".join(f"{quote}{name}{quote}" for name in COLUMNS)
    values = ", ".join(["%s"] * len(COLUMNS))
    tail = f" RETURNING {quote}id{quote}" if returning else ""
    return f"INSERT INTO {quote}{table}{quote} ({columns}) VALUES ({values}){tail}"  # noqa: S608 - constants


def _sql(connection: BaseDatabaseWrapper, *, returning: bool) -> str:
    quote = "`" if connection.vendor == "mysql" else '"'
    return _insert_sql(connection.vendor, quote, TransitionLog._meta.db_table, returning)


def _parameters(row: Mapping[str, Any], adapt: Callable[[Any], Any]) -> list[Any]:
    values = list(row.values())
    for index in _TIMES:
        if values[index] is not None:
            values[index] = adapt(values[index])
    return values


def insert(connection: BaseDatabaseWrapper, row: dict[str, Any]) -> TransitionLog:
    """Insert one row and return it as a model instance, its ``id`` filled in."""
    postgres = connection.vendor == "postgresql"
    with connection.cursor() as cursor:
        parameters = _parameters(row, connection.ops.adapt_datetimefield_value)
        cursor.execute(_sql(connection, returning=postgres), parameters)
        key = cursor.fetchone()[0] if postgres else cursor.lastrowid
    return TransitionLog.inserted(connection.alias, key, row)


def insert_many(connection: BaseDatabaseWrapper, rows: Sequence[dict[str, Any]]) -> None:
    """Insert many rows with one statement (PostgreSQL) or one ``executemany``."""
    if not rows:
        return
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            first = rows[0]
            varying = tuple(
                name
                for name in COLUMNS
                if name == "entry_hash" or any(row[name] != first[name] for row in rows)
            )
            same = [first[name] for name in COLUMNS if name not in varying]
            values = [[row[name] for name in varying] for row in rows]
            sql = _insert_document_sql(TransitionLog._meta.db_table, varying)
            cursor.execute(sql, [*same, document(values)])
        else:
            # The rows of a bulk share their time: one conversion serves all.
            adapt = cache(connection.ops.adapt_datetimefield_value)
            cursor.executemany(_sql(connection, returning=False), [_parameters(row, adapt) for row in rows])


def document(rows: Sequence[Sequence[Any]]) -> str:
    """Rows as one JSON text for ``json_to_recordset``, their columns called ``c0``, ``c1`` and so on.

    One parameter for a thousand rows: the driver quotes one string instead of thousands of array elements.
    """
    named = [{f"c{number}": value for number, value in enumerate(row)} for row in rows]
    return json.dumps(named, ensure_ascii=False, separators=(",", ":"), default=lru_cache(maxsize=64)(str))


@cache
def _insert_document_sql(table: str, varying: tuple[str, ...]) -> str:
    """INSERT with a parameter for each column that is the same in all rows, and a document for the others."""
    numbers = {name: f"c{number}" for number, name in enumerate(varying)}
    types = {name: _POSTGRES_TYPES.get(name, "text") for name in COLUMNS}
    columns = ", ".join(f'"{name}"' for name in COLUMNS)
    values = ", ".join(numbers.get(name, f"%s::{types[name]}") for name in COLUMNS)
    named = ", ".join(f"{numbers[name]} {types[name]}" for name in varying)
    return (
        f'INSERT INTO "{table}" ({columns}) SELECT {values} '  # noqa: S608 - constants
        f"FROM json_to_recordset(%s::json) AS entry({named})"
    )


def last_entries(
    connection: BaseDatabaseWrapper, model_label: str, keys: Sequence[Any]
) -> dict[str, tuple[int, str, str | None]]:
    """For keys that have a log: sequence, hash and state of the last entry of each, by key text.

    The state is ``None`` after a deletion.
    """
    log = TransitionLog.objects.using(connection.alias).filter(model_label=model_label)
    wanted = ("object_pk", "sequence", "entry_hash", "to_state")
    found: dict[str, tuple[int, str, str | None]] = {}
    texts = [key_text(key) for key in keys]
    for start in range(0, len(texts), 500):
        part = texts[start : start + 500]
        if len(part) == 1:
            rows = list(log.filter(object_pk=part[0]).order_by("-sequence").values_list(*wanted)[:1])
        else:
            tops = dict(
                log.filter(object_pk__in=part)
                .values("object_pk")
                .annotate(top=Max("sequence"))
                .values_list("object_pk", "top")
            )
            rows = [
                row
                for row in log.filter(object_pk__in=list(tops), sequence__in=set(tops.values())).values_list(
                    *wanted
                )
                if tops[row[0]] == row[1]
            ]
        found.update({pk: (sequence, hash_, state) for pk, sequence, hash_, state in rows})
    return found
