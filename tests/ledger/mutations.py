"""Owns the ways in which a ledger can be damaged behind the package's back, and what each must be found as.

Every way is a few statements of raw SQL on the ledger that ``ledger_to_damage`` builds. Chosen by a fixed seed.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import combinations
from typing import Any

from django.db import connection

from fsm_lifecycle.ledger.body import read_body, redacted
from fsm_lifecycle.ledger.definitions import LifecycleDefinition
from fsm_lifecycle.ledger.entry import KINDS, TransitionLog
from tests.ledger.ledger_to_damage import Finding, Ledger, execute, read

LOG = TransitionLog._meta.db_table
DEFINITIONS = LifecycleDefinition._meta.db_table


@dataclass(frozen=True)
class Mutation:
    """One way to damage the ledger."""

    name: str
    apply: Callable[[], object]
    expected: tuple[Finding, ...]
    """What has to be among the findings."""
    accused: frozenset[str] | None = None
    """The records that findings may name, beside those expected; ``None`` for any."""
    against: str | None = None
    """The checkpoint that is given with ``--against``; then the folder outside is not looked at."""


def name_of(row: dict[str, Any]) -> str:
    """``app.model:pk`` of an entry."""
    return f"{row['model_label']}:{row['object_pk']}"


def entries() -> list[dict[str, Any]]:
    """Every entry with all its columns."""
    found: Any = TransitionLog.objects.order_by("id").values()
    return list(found)


def rows_of(record: str) -> list[dict[str, Any]]:
    """The entries of one record, oldest first."""
    label, _, pk = record.partition(":")
    found: Any = TransitionLog.objects.filter(model_label=label, object_pk=pk).order_by("sequence").values()
    return list(found)


def put(row: dict[str, Any], **columns: Any) -> None:
    """Change columns of an entry."""
    adapt = connection.ops.adapt_datetimefield_value
    values = [adapt(value) if isinstance(value, datetime) else value for value in columns.values()]
    sets = ", ".join(f"{name} = %s" for name in columns)
    execute(f"UPDATE {LOG} SET {sets} WHERE id = %s", *values, row["id"])


def drop(*rows: dict[str, Any]) -> None:
    """Delete entries."""
    for row in rows:
        execute(f"DELETE FROM {LOG} WHERE id = %s", row["id"])


# --- columns ------------------------------------------------------------------------------------------------

CODES = {
    "id": "LEAF_WITHOUT_ENTRY",
    "body": "BODY_MISMATCH",
    "idempotency_key": "BODY_MISMATCH",
    "idempotency_digest": "BODY_MISMATCH",
}
"""What a changed column is found as; any other as ``ENTRY_HASH``."""


def columns(ledger: Ledger, rng: random.Random) -> Iterator[Mutation]:
    """Every column of random entries, and of those that have something in it."""
    rows = entries()
    for field in TransitionLog._meta.concrete_fields:
        filled = [row for row in rows if row[field.attname] not in (None, "")]
        chosen = [*rng.sample(rows, 3), *rng.sample(filled, min(2, len(filled)))]
        for row in {row["id"]: row for row in chosen}.values():
            for value in _others(field.attname, row[field.attname], rng):
                if value != row[field.attname] or type(value) is not type(row[field.attname]):
                    yield _column(field.attname, row, value)


def _column(column: str, row: dict[str, Any], value: Any) -> Mutation:
    after = {**row, column: value}
    return Mutation(
        f"{column} of {name_of(row)} #{row['sequence']}: {row[column]!r:.80} → {value!r:.80}",
        lambda: put(row, **{column: value}),
        ((CODES.get(column, "ENTRY_HASH"), name_of(after), after["sequence"]),),
        # An entry that is the cause of others is missed by them when it has another hash.
        accused=None if column == "entry_hash" else frozenset({name_of(row), name_of(after)}),
    )


def _others(column: str, value: Any, rng: random.Random) -> list[Any]:
    """What else could stand in a column."""
    nullable = TransitionLog._meta.get_field(column).null
    found: list[Any] = [None] if nullable and value is not None else []
    if column == "body":
        return [value[:-1] + " }", "{}" if value != "{}" else '{"reason":"x"}', _with_other_value(value)]
    if column == "kind":
        return [*found, rng.choice([kind for kind in KINDS if kind != value]), "Created"]
    if column == "actor_kind":
        return [*found, "system" if value != "system" else "user"]
    if isinstance(value, bool):
        return [not value] if connection.vendor == "postgresql" else [not value, 2]
    if isinstance(value, int):
        return [*found, value + 10_000] if column != "v" else [2, 0]
    if isinstance(value, datetime):
        return [*found, value + timedelta(milliseconds=1), value - timedelta(days=1)]
    if column in ("recorded_at", "occurred_at"):
        return [datetime(2026, 5, 5, tzinfo=UTC)]
    if column.endswith("hash") or column in ("cause", "definition", "idempotency_digest"):
        digest = value or "0123456789abcdef" * 4
        place = rng.randrange(64)
        return [*found, digest[:place] + ("a" if digest[place] != "a" else "b") + digest[place + 1 :]]
    if value is None:
        return ["Once"]
    return [*found, value.swapcase(), f"{value} ", f"{value}x"]


def _with_other_value(body: str) -> str:
    """The same body with one letter more in the first value that is text."""
    place = body.find('"}')
    return (
        f"{body[:place]}x{body[place:]}"
        if place > 0
        else body.replace('"]', 'x"]', 1)
        if body != "{}"
        else "[]"
    )


def types(ledger: Ledger, rng: random.Random) -> Iterator[Mutation]:
    """The actor's two columns are hashed as one text; the split must not be movable."""
    [row] = [row for row in rows_of(ledger.redacted[0]) if row["actor_id"] == "a:b"]
    yield Mutation(
        "system:a and b instead of system and a:b",
        lambda: put(row, actor_kind="system:a", actor_id="b"),
        (("ENTRY_HASH", name_of(row), row["sequence"]),),
    )


# --- entries ------------------------------------------------------------------------------------------------


def removals(ledger: Ledger, rng: random.Random) -> Iterator[Mutation]:
    """Entries that are gone: in the middle, at the end, or all of a record with the record itself."""
    record = ledger.redacted[0]
    rows = rows_of(record)
    last = rows[-1]["sequence"]
    for row in rows[:-1]:
        following = (record, row["sequence"] + 1)
        yield Mutation(
            f"entry {row['sequence']} of {last} removed",
            partial(drop, row),
            (
                ("SEQUENCE_GAP", *following),
                ("PREV_MISMATCH", *following),
                ("LEAF_WITHOUT_ENTRY", None, None),
            ),
        )
    yield Mutation("the tail cut off", lambda: drop(*rows[2:]), (("HEAD_MISMATCH", record, 2),))
    first = rows[0]

    def cut_with_the_row() -> None:
        drop(*rows[1:])
        execute(
            "UPDATE testapp_light SET state = %s, lifecycle_sequence = 1, lifecycle_head = %s WHERE id = %s",
            first["to_state"],
            first["entry_hash"],
            ledger.light.pk,
        )

    yield Mutation(
        "the tail cut off, and the row with it", cut_with_the_row, (("LEAF_WITHOUT_ENTRY", None, None),)
    )

    def remove_all() -> None:
        drop(*rows)
        execute("DELETE FROM testapp_light WHERE id = %s", ledger.light.pk)

    yield Mutation("a record and its whole log removed", remove_all, (("LEAF_WITHOUT_ENTRY", None, None),))
    yield Mutation(
        "a log removed, the record left",
        lambda: drop(*rows),
        (("HEAD_MISMATCH", record, None), ("LEAF_WITHOUT_ENTRY", None, None)),
    )
    gone = rows_of(ledger.gone)
    yield Mutation(
        "the deletion taken out of a log", lambda: drop(gone[-1]), (("RECORD_MISSING", ledger.gone, 1),)
    )
    [cause] = [row for row in entries() if row["entry_hash"] == rows_of(ledger.caused[0])[1]["cause"]]
    yield Mutation("a cause removed", lambda: drop(cause), (("DANGLING_CAUSE", *ledger.caused),))


def swaps(ledger: Ledger, rng: random.Random) -> Iterator[Mutation]:
    """Two entries that change places, columns or bodies."""
    record = ledger.redacted[0]
    rows = rows_of(record)
    for one, other in rng.sample(list(combinations(rows, 2)), 3):
        numbers = (one["sequence"], other["sequence"])

        def places(one: Any = one, other: Any = other) -> None:
            put(one, sequence=999)
            put(other, sequence=one["sequence"])
            put(one, sequence=other["sequence"])

        def bodies(one: Any = one, other: Any = other) -> None:
            put(one, body=other["body"])
            put(other, body=one["body"])

        yield Mutation(
            f"entries {numbers} swapped", places, tuple(("ENTRY_HASH", record, n) for n in numbers)
        )
        if one["body"] != other["body"]:
            found = tuple(("BODY_MISMATCH", record, n) for n in numbers)
            yield Mutation(f"bodies of {numbers} swapped", bodies, found)


def redactions(ledger: Ledger, rng: random.Random) -> Iterator[Mutation]:
    """Erased without a word, or there again in spite of one."""
    record, sequence = ledger.redacted
    lost, said = rows_of(record)[sequence - 1], rows_of(record)[-1]
    [keyed] = [row for row in rows_of(ledger.keyed[0]) if row["sequence"] == ledger.keyed[1]]
    names = [name for name in read_body(keyed["body"]) if name != "idempotency_key"]
    for name in names:
        yield Mutation(
            f"{name} redacted without an entry that says so",
            partial(put, keyed, body=redacted(keyed["body"], [name])),
            (("BODY_MISSING", *ledger.keyed),),
            accused=frozenset({ledger.keyed[0]}),
        )
    yield Mutation(
        "one more field redacted than the redaction says",
        lambda: put(lost, body=redacted(lost["body"], ["actor"])),
        (("BODY_MISSING", *ledger.redacted),),
    )
    yield Mutation(
        "the arguments of a redaction redacted",
        lambda: put(said, body=redacted(said["body"], ["arguments"])),
        (("BODY_MISMATCH", record, said["sequence"]), ("BODY_MISSING", *ledger.redacted)),
    )


# --- records and definitions --------------------------------------------------------------------------------


def records(ledger: Ledger, rng: random.Random) -> Iterator[Mutation]:
    """Rows of the host's own tables, changed past the package."""
    record, key = ledger.redacted[0], ledger.light.pk
    last = len(rows_of(record))
    table = "testapp_light"

    def change(sets: str, *values: Any) -> Callable[[], None]:
        return lambda: execute(f"UPDATE {table} SET {sets} WHERE id = %s", *values, key)

    head, state = ("HEAD_MISMATCH", record, last), ("STATE_DIVERGED", record, last)
    accused = frozenset({record})
    for name, apply, expected in (
        ("state", change("state = %s", "off"), state),
        ("case of the state", change("state = %s", "ON"), state),
        ("a state that the table does not have", change("state = %s", "nonsense"), state),
        ("sequence", change("lifecycle_sequence = %s", last + 1), head),
        ("head", change("lifecycle_head = %s", "0" * 64), head),
        ("no log", change("lifecycle_sequence = 0, lifecycle_head = ''"), head),
        (
            "row removed",
            lambda: execute(f"DELETE FROM {table} WHERE id = %s", key),
            ("RECORD_MISSING", record, last),
        ),
    ):
        yield Mutation(f"row: {name}", apply, (expected,), accused)
    copied = "name, state, state_since, lifecycle_sequence, lifecycle_head"

    def insert(new: int, sequence: str) -> None:
        execute(
            f"INSERT INTO {table} (id, {copied}) SELECT %s, {copied.replace('lifecycle_sequence', sequence)} "
            f"FROM {table} WHERE id = %s",
            new,
            key,
        )

    for sequence in ("lifecycle_sequence", "0"):
        yield Mutation(
            f"a row inserted with the sequence {sequence}",
            partial(insert, key + 9_999, sequence),
            (("HEAD_MISMATCH", f"testapp.light:{key + 9_999}", None),),
            frozenset({f"testapp.light:{key + 9_999}"}),
        )
    bulk = f"testapp.light:{key + 1}"

    def replace_row() -> None:
        execute(f"DELETE FROM {table} WHERE id = %s", key + 1)
        insert(key + 1, "lifecycle_sequence")

    yield Mutation(
        "a row replaced by another's", replace_row, (("HEAD_MISMATCH", bulk, 1),), frozenset({bulk})
    )

    def back() -> None:
        execute(
            "INSERT INTO testapp_door (code, position, state_since, lifecycle_sequence, lifecycle_head) "
            "SELECT %s, position, state_since, 1, lifecycle_head FROM testapp_door WHERE code = 'back'",
            ledger.gone.partition(":")[2],
        )

    yield Mutation(
        "a row back after its deletion", back, (("STATE_DIVERGED", ledger.gone, 2),), frozenset({ledger.gone})
    )


def definitions(ledger: Ledger, rng: random.Random) -> Iterator[Mutation]:
    """Tables that entries are judged by."""
    record = ledger.redacted[0]
    fingerprint = rows_of(record)[0]["definition"]
    [(key, text)] = read(
        f"SELECT id, json FROM {DEFINITIONS} WHERE fingerprint = %s AND model_label = %s",
        fingerprint,
        "testapp.light",
    )
    altered = ("DEFINITION_MISMATCH", "testapp.light", None)
    missing = tuple(("DEFINITION_MISSING", record, row["sequence"]) for row in rows_of(record))
    for name, column, value, expected in (
        ("a source added", "json", text.replace('"on"', '"off"', 1), (altered,)),
        ("a space added", "json", text.replace(",", ", ", 1), (altered,)),
        ("not JSON", "json", "{", (altered,)),
        ("empty", "json", "", (altered,)),
        ("another fingerprint", "fingerprint", "0" * 64, (altered, *missing)),
        ("another model", "model_label", "testapp.dark", missing),
    ):
        yield Mutation(
            f"definition: {name}",
            partial(execute, f"UPDATE {DEFINITIONS} SET {column} = %s WHERE id = %s", value, key),
            expected,
        )
    yield Mutation(
        "definition removed", lambda: execute(f"DELETE FROM {DEFINITIONS} WHERE id = %s", key), missing
    )


def all_of(ledger: Ledger, seed: int) -> list[Mutation]:
    """Every mutation there is."""
    from tests.ledger import mutations_of_the_tree, mutations_written_anew

    rng = random.Random(seed)
    makers = (columns, types, removals, swaps, redactions, records, definitions)
    found = [mutation for maker in makers for mutation in maker(ledger, rng)]
    found += mutations_of_the_tree.all_of(ledger, rng)
    found += mutations_written_anew.all_of(ledger, rng)
    return found
