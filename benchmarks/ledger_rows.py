"""A log of a million entries, made with plain SQL in a few statements, with its records, leaves, tiles and counts.

Only entries that the package itself wrote in between have true hashes: those are the ones that are proven. The others
have hashes of their number, which index and weigh the same. Must not know what is asked about them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Max

from benchmarks.models import Invoice
from benchmarks.settings import on_database
from benchmarks.subjects import make
from fsm_lifecycle.ledger.checkpoints import make_checkpoint
from fsm_lifecycle.ledger.tiles import Tiles
from fsm_lifecycle.models import SealProgress, TransitionLog

#: Entries of each record: created, then sent and recalled in turn.
EACH = 10
#: How far back the log goes, evenly.
SPAN = timedelta(days=90)
#: Records that are still open, one in so many; the others are paid or cancelled.
OPEN = 10
#: Models whose entries are counted; the log itself has those of one.
MODELS = 20

#: Actors by how much of the log is theirs.
PROGRAM, BUSY, REGULAR, FORMER, SELDOM = "nightly", "2", "3", "4", "1000"
ACTORS = {
    "a program, 20 % of the entries": ("system", PROGRAM),
    "a user, 10 %, half through agents": ("user", BUSY),
    "a user, 1 %": ("user", REGULAR),
    "a user, 1 %, all of them old": ("user", FORMER),
    "a user, 0.07 %": ("user", SELDOM),
}

_PROVEN = 100
_AT_ONCE = 50_000


@dataclass(frozen=True, kw_only=True)
class Log:
    """What one database has."""

    alias: str
    entries: int
    records: tuple[int, int]
    """The first and the last key of the records with ten entries each."""
    proven: list[str]
    """Hashes of entries that are true."""
    moments: list[tuple[datetime, int]]
    """Times and keys of entries, evenly through the log."""


def populate(alias: str, rows: int) -> Log:
    """Fill an empty database."""
    records = max(EACH, rows // EACH)
    connection = connections[alias]
    with on_database(alias):
        first = _insert_records(connection, records)
        with transaction.atomic(using=alias):
            for start, end in ((0, EACH // 2), (EACH // 2, EACH)):
                _insert_entries(connection, records, first, start, end)
                make(Invoice, max(1, _PROVEN // 2))
        entries = _insert_leaves(connection)
        _insert_counts(connection)
        make_checkpoint(alias)
        _settle(connection)
        log = TransitionLog.objects.using(alias)
        proven = log.filter(object_pk__in=[str(pk) for pk in _made(first + records)])
        return Log(
            alias=alias,
            entries=entries,
            records=(first, first + records - 1),
            proven=list(proven.values_list("entry_hash", flat=True)),
            moments=list(
                log.filter(pk__in=range(entries // 100, entries, max(1, entries // 100)))
                .order_by("recorded_at", "pk")
                .values_list("recorded_at", "pk")
            ),
        )


def _made(after: int) -> list[int]:
    return list(Invoice.objects.filter(pk__gte=after).values_list("pk", flat=True))


# --- SQL ----------------------------------------------------------------------------------------------------


def _numbers(connection: BaseDatabaseWrapper, first: int, end: int) -> str:
    """The numbers from `first` up to `end`, as a table expression `n(i)`."""
    if connection.vendor == "postgresql":
        return f"generate_series(CAST({first} AS bigint), {end - 1}) AS n(i)"
    numbers = f"WITH RECURSIVE c(i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM c WHERE i + 1 < {end})"
    return f"({numbers} SELECT i FROM c) AS n"


def _hash(connection: BaseDatabaseWrapper, number: str) -> str:
    if connection.vendor == "postgresql":
        return f"encode(sha256(CAST(CAST({number} AS text) AS bytea)), 'hex')"
    return f"hash_of({number})"


def _moment(connection: BaseDatabaseWrapper, seconds: str) -> str:
    """So many seconds after the log's beginning."""
    begin = int((datetime.now(UTC) - SPAN).timestamp())
    if connection.vendor == "postgresql":
        return f"to_timestamp({begin} + {seconds})"
    return f"datetime({begin} + {seconds}, 'unixepoch')"


def _execute(connection: BaseDatabaseWrapper, sql: str) -> None:
    if connection.vendor == "sqlite":
        connection.ensure_connection()
        connection.connection.create_function(
            "hash_of", 1, lambda number: sha256(str(number).encode()).hexdigest(), deterministic=True
        )
    with connection.cursor() as cursor:
        cursor.execute(sql)


def _insert_records(connection: BaseDatabaseWrapper, records: int) -> int:
    """Records as their last entries leave them; returns the first key."""
    step = int(SPAN.total_seconds()) // records
    _execute(
        connection,
        "INSERT INTO benchmarks_invoice"
        " (amount, client_name, created_by_id, state, state_since, lifecycle_sequence, lifecycle_head) "
        f"SELECT 99.5, 'Client', (SELECT min(id) FROM auth_user), CASE WHEN i % {OPEN} > 1 THEN 'paid'"
        f" WHEN i % {OPEN} = 1 THEN 'cancelled' WHEN i % {3 * OPEN} = 0 THEN 'overdue'"
        f" WHEN i % {3 * OPEN} = {OPEN} THEN 'draft' ELSE 'sent' END, "
        f"{_moment(connection, f'i * {step}')}, {EACH}, {_hash(connection, f'{(EACH - 1) * records} + i')} "
        f"FROM {_numbers(connection, 0, records)}",
    )
    with connection.cursor() as cursor:
        cursor.execute("SELECT min(id) FROM benchmarks_invoice")
        return int(cursor.fetchone()[0])


def _insert_entries(connection: BaseDatabaseWrapper, records: int, first: int, start: int, end: int) -> None:
    """The entries from `start` to `end` of every record: a record's are far apart, as they are in life."""
    step = int(SPAN.total_seconds()) / (records * EACH)
    kind, state = f"i < {records}", f"(i / {records}) % 2 = 1"
    dice = "(i * 7919 % 10007) % 100"  # each actor's entries come all through the log
    old = f"i < {records * EACH // 10}"
    columns = {
        "v": "1",
        "model_label": "'benchmarks.invoice'",
        "object_pk": f"CAST(i % {records} + {first} AS text)",
        "sequence": f"i / {records} + 1",
        "kind": f"CASE WHEN {kind} THEN 'created' ELSE 'transition' END",
        "event": f"CASE WHEN {kind} THEN NULL WHEN {state} THEN 'send_invoice' ELSE 'recall' END",
        "from_state": f"CASE WHEN {kind} THEN NULL WHEN {state} THEN 'draft' ELSE 'sent' END",
        "to_state": f"CASE WHEN {state} THEN 'sent' ELSE 'draft' END",
        "compensating": "(1 = 0)",
        "actor_kind": f"CASE WHEN {dice} < 20 THEN 'system' WHEN {dice} < 25 THEN 'agent' ELSE 'user' END",
        "actor_id": f"CASE WHEN {dice} < 20 THEN '{PROGRAM}' WHEN {dice} < 30 THEN '{BUSY}'"
        f" WHEN {dice} = 30 THEN '{REGULAR}' WHEN {dice} < 41 AND {old} THEN '{FORMER}'"
        " ELSE CAST(1000 + i * 104729 % 1000 AS text) END",
        "recorded_at": _moment(connection, f"CAST(i * {step:.9f} AS bigint)"),
        "definition": "(SELECT min(fingerprint) FROM fsm_lifecycle_lifecycledefinition)",
        "body": '\'{"actor":["zzgTck0JrSDzC1EiA7cN3A",{"label":"Somebody"}]}\'',
        "body_hash": _hash(connection, "-1 - i"),
        "prev_hash": _hash(connection, f"i - {records}"),
        "entry_hash": _hash(connection, "i"),
    }
    _execute(
        connection,
        f"INSERT INTO fsm_lifecycle_transitionlog ({', '.join(columns)}) SELECT {', '.join(columns.values())} "
        f"FROM {_numbers(connection, start * records, end * records)} ORDER BY i",
    )


# --- what sealing would have written ------------------------------------------------------------------------


def _insert_leaves(connection: BaseDatabaseWrapper) -> int:
    """A leaf for every entry, and the tiles above them."""
    _execute(
        connection,
        "INSERT INTO fsm_lifecycle_logleaf (leaf_index, entry_id, entry_hash) "
        "SELECT row_number() OVER (ORDER BY id) - 1, id, entry_hash FROM fsm_lifecycle_transitionlog ORDER BY id",
    )
    size = 0
    for hashes in _leaves(connection):
        with transaction.atomic(using=connection.alias):
            Tiles(connection.alias).extend(size, hashes)
        size += len(hashes)
    settled = TransitionLog.objects.using(connection.alias).aggregate(last=Max("pk"))["last"] or 0
    SealProgress.objects.using(connection.alias).update_or_create(pk=1, defaults={"settled_id": settled})
    return size


def _leaves(connection: BaseDatabaseWrapper) -> Iterator[list[bytes]]:
    start = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT entry_hash FROM fsm_lifecycle_logleaf WHERE leaf_index >= %s AND leaf_index < %s"
                " ORDER BY leaf_index",
                [start, start + _AT_ONCE],
            )
            hashes = [bytes.fromhex(row[0]) for row in cursor.fetchall()]
        if not hashes:
            return
        yield hashes
        start += len(hashes)


def _insert_counts(connection: BaseDatabaseWrapper) -> None:
    day = "date(recorded_at)" if connection.vendor == "sqlite" else "date(recorded_at AT TIME ZONE 'UTC')"
    _execute(
        connection,
        "INSERT INTO fsm_lifecycle_dailycount"
        " (day, model_label, kind, event, from_state, to_state, actor_kind, entries) "
        f"SELECT {day}, model_label, kind, coalesce(event, ''), coalesce(from_state, ''), coalesce(to_state, ''),"
        " actor_kind, count(*) FROM fsm_lifecycle_transitionlog GROUP BY 1, 2, 3, 4, 5, 6, 7",
    )
    rows = "day, model_label, kind, event, from_state, to_state, actor_kind, entries"
    _execute(
        connection,
        f"INSERT INTO fsm_lifecycle_dailycount ({rows}) SELECT {rows.replace('model_label', _LABELS)} "
        f"FROM fsm_lifecycle_dailycount, {_numbers(connection, 1, MODELS)}",
    )
    _execute(
        connection,
        "INSERT INTO fsm_lifecycle_statetotal (model_label, state, came, went) "
        "SELECT model_label, state, sum(came), sum(went) FROM ("
        "SELECT model_label, to_state AS state, entries AS came, 0 AS went FROM fsm_lifecycle_dailycount"
        " UNION ALL SELECT model_label, from_state, 0, entries FROM fsm_lifecycle_dailycount"
        ") moves GROUP BY 1, 2",
    )


#: Each of these models has the counts of the first, so that the rollup is not that of a log with one model.
_LABELS = "'benchmarks.other' || i"


def _settle(connection: BaseDatabaseWrapper) -> None:
    """PostgreSQL would do this by itself sooner or later; in the middle of a measurement it should not."""
    statement: Any = (
        "VACUUM ANALYZE" if connection.vendor == "postgresql" else "PRAGMA wal_checkpoint(TRUNCATE)"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement)
