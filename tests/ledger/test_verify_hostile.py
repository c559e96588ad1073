"""Whatever stands in the tables, a verification ends with findings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from fsm_lifecycle.ledger.body import MAX_BYTES
from fsm_lifecycle.ledger.finding import Finding
from fsm_lifecycle.ledger.replay_records import replay_records
from fsm_lifecycle.ledger.sealing import seal
from fsm_lifecycle.ledger.verify import verify
from fsm_lifecycle.ledger.verify_report import Report
from tests.acting import ACTOR, rolled_back
from tests.ledger.ledger_to_damage import execute
from tests.ledger.mutations import DEFINITIONS, LOG
from tests.ledger.mutations_of_the_tree import CHECKPOINTS, LEAVES, TILES
from tests.ledger.unprotected import unprotected
from tests.testapp.models import Door, Light, Parcel

pytestmark = pytest.mark.django_db

only_sqlite = pytest.mark.skipif(connection.vendor != "sqlite", reason="others hold columns to their types")


COLUMNS = """v model_label object_pk sequence kind event from_state to_state compensating actor_kind actor_id
recorded_at occurred_at cause
definition body body_hash prev_hash entry_hash idempotency_key idempotency_digest""".split()
OTHERS = {
    LEAVES: "entry_id entry_hash",
    TILES: "data",
    CHECKPOINTS: "tree_size root_hash note",
    DEFINITIONS: "json fingerprint model_label",
    "testapp_light": "state lifecycle_sequence lifecycle_head",
    "testapp_door": "code",
    "testapp_parcel": "id",
}


OF_LIGHTS = "model_label = 'testapp.light'"


@pytest.fixture
def light() -> Light:
    """A record with three sealed entries."""
    light = Light.objects.create()
    light.fire("switch_on", actor=ACTOR, metadata={"n": 1})
    light.fire("blink", actor=ACTOR)
    seal()
    return light


@pytest.fixture(autouse=True)
def _unprotected(light: Light) -> Iterator[None]:
    with unprotected(connection):
        yield


def damaged(sql: str, *parameters: Any) -> list[Finding]:
    """What is found after a statement that is then undone, told in both forms. Without the missing protection."""
    with rolled_back():
        execute(sql, *parameters)
        plain = len(list(verify()))
        list(replay_records("default", "testapp.light"))
        with Report() as report:
            verification = verify(deep=True)
            found = []
            for finding in verification:
                found.append(finding)
                report.add(finding)
            told = "".join(report.text(verification)) + "".join(report.json(verification))
            told.encode()
        assert len(found) >= plain
    return [finding for finding in found if finding.code != "PROTECTION_MISSING"]


def codes(found: list[Finding]) -> set[str]:
    return {finding.code for finding in found}


BODIES = [
    "",
    "{",
    "null",
    "[]",
    "3",
    '"x"',
    '{"actor":1}',
    '{"actor":["short",1]}',
    '{"nothing":["zzgTck0JrSDzC1EiA7cN3A",1]}',
    '{"actor":["zzgTck0JrSDzC1EiA7cN3A",1.5]}',
    '{"actor":["zzgTck0JrSDzC1EiA7cN3A",{"$decimal":"x"}]}',
    '{"actor":["zzgTck0JrSDzC1EiA7cN3A",NaN]}',
    '{"actor":["zzgTck0JrSDzC1EiA7cN3A",' + "9" * 5000 + "]}",
    '{"actor":["zzgTck0JrSDzC1EiA7cN3A",1],"actor":["zzgTck0JrSDzC1EiA7cN3A",2]}',
    '{"actor":["zzgTck0JrSDzC1EiA7cN3A","\\ud800"]}',
    "[" * 200_000,
    '{"actor":["zzgTck0JrSDzC1EiA7cN3A",' + "[" * 5_000 + "]" * 5_000 + "]}",
    '{"actor":["zzgTck0JrSDzC1EiA7cN3A","' + "x" * MAX_BYTES + '"]}',
    '{"actor":["zzgTck0JrSDzC1EiA7cN3A","' + "x" * (MAX_BYTES - 60) + '"]}',
    "x" * (16 * 1024),
    "x" * (16 * 1024 + 1),
]


def test_a_body_that_is_none() -> None:
    for body in BODIES:
        found = damaged(f"UPDATE {LOG} SET body = %s WHERE sequence = 2", body)
        assert [(one.code, one.sequence) for one in found] == [("BODY_MISMATCH", 2)], body[:60]
        assert all(len(one.found) < 500 for one in found)


CHANGES = [
    ("to_state = NULL", "ENTRY_HASH"),
    ("from_state = NULL, to_state = NULL", "ILLEGAL_TRANSITION"),
    ("event = NULL", "ILLEGAL_TRANSITION"),
    ("sequence = -5", "SEQUENCE_GAP"),
    ("sequence = 0", "SEQUENCE_GAP"),
    ("sequence = 9223372036854775807", "SEQUENCE_GAP"),
    ("actor_id = ''", "ENTRY_HASH"),
    ("model_label = '', object_pk = ''", "SEQUENCE_GAP"),
    ("object_pk = '99999999999999999999999999'", "RECORD_MISSING"),
    ("object_pk = '-0'", "RECORD_MISSING"),
    ("object_pk = '٣'", "RECORD_MISSING"),
    ("object_pk = '1.0'", "RECORD_MISSING"),
    ("entry_hash = ''", "ENTRY_HASH"),
    ("prev_hash = 'x'", "PREV_MISMATCH"),
    ("cause = ''", "DANGLING_CAUSE"),
    ("cause = 'ä'", "DANGLING_CAUSE"),
    ("definition = ''", "DEFINITION_MISSING"),
    ("v = 32767", "ENTRY_HASH"),
    ("recorded_at = '0001-01-01 00:00:00'", "ENTRY_HASH"),
    ("recorded_at = '9999-12-31 23:59:59'", "ENTRY_HASH"),
    ("occurred_at = '0001-01-01 00:00:00'", "ENTRY_HASH"),
    ("body_hash = 'no hash'", "BODY_MISMATCH"),
    ("idempotency_key = ''", "BODY_MISMATCH"),
    ("idempotency_digest = ''", "BODY_MISMATCH"),
]


def test_a_column_with_anything() -> None:
    for change, code in CHANGES:
        found = damaged(f"UPDATE {LOG} SET {change} WHERE sequence = 2")
        assert code in codes(found), (change, found)


def test_an_entry_of_a_version_to_come_is_not_judged_and_says_so() -> None:
    # Whatever else is unlike this version's: how it is hashed, its step, its body.
    found = damaged(
        f"UPDATE {LOG} SET v = 2, event = 'fly', to_state = 'moon', body = '[]' WHERE sequence = 2"
    )
    said = [one for one in found if one.sequence == 2]
    assert codes(said) == {"ENTRY_HASH"}
    assert "all that this version of fsm_lifecycle can judge" in said[0].sentence()
    assert (
        "a newer version of fsm_lifecycle has made the entry, or it was changed since" in said[0].sentence()
    )


@pytest.mark.skipif(connection.vendor != "postgresql", reason="times of PostgreSQL")
@pytest.mark.parametrize("column", ["recorded_at", "occurred_at"])
def test_a_time_that_python_cannot_hold(column: str) -> None:
    for moment in ("infinity", "-infinity", "0044-03-15 BC", "294276-12-31"):
        found = damaged(f"UPDATE {LOG} SET {column} = '{moment}' WHERE sequence = 2")
        assert "ENTRY_HASH" in codes(found), moment


@pytest.mark.skipif(connection.vendor != "mysql", reason="times of MariaDB")
@pytest.mark.parametrize("column", ["recorded_at", "occurred_at"])
def test_a_time_that_is_none(column: str) -> None:
    execute("SET SESSION sql_mode = ''")
    try:
        found = damaged(f"UPDATE {LOG} SET {column} = '0000-00-00 00:00:00' WHERE sequence = 2")
    finally:
        execute("SET SESSION sql_mode = 'STRICT_TRANS_TABLES'")
    assert "ENTRY_HASH" in codes(found)


@only_sqlite
@pytest.mark.parametrize(
    "value", ["x'ff00fe'", "CAST(x'ff41' AS TEXT)", "'a' || char(0)", "char(55296)", "1e400", "77777", "2.5"]
)
def test_a_column_of_another_type(value: str) -> None:
    for column in COLUMNS:
        found = damaged(f"UPDATE {LOG} SET {column} = {value} WHERE sequence = 2")
        assert codes(found) & {"ENTRY_HASH", "BODY_MISMATCH"}, column


@only_sqlite
def test_a_time_that_is_written_otherwise() -> None:
    for moment in (
        "2026-13-45 00:00:00",
        "20261120",
        "2026-11-20T10:00:00",
        "now",
        "2026-11-20 10:00:00+00:00",
    ):
        found = damaged(f"UPDATE {LOG} SET recorded_at = %s WHERE sequence = 2", moment)
        assert "ENTRY_HASH" in codes(found), moment


def test_a_leaf_with_anything() -> None:
    for change, code in (
        ("leaf_index = -1", "ROOT_MISMATCH"),
        ("leaf_index = 9223372036854775807", "ROOT_MISMATCH"),
        ("entry_id = -1", "LEAF_WITHOUT_ENTRY"),
        ("entry_hash = ''", "LEAF_WITHOUT_ENTRY"),
    ):
        assert code in codes(damaged(f"UPDATE {LEAVES} SET {change} WHERE leaf_index = 1")), change


def test_a_tile_with_anything() -> None:
    for change in ("data = ''", "data = 'zz'", "level = 9", "tile_index = 77", "data = 'x'"):
        assert codes(damaged(f"UPDATE {TILES} SET {change}")) == {"ROOT_MISMATCH"}, change


def test_a_note_that_is_none() -> None:
    for note in ("", "x", "a\n1\n", "a\nb\nc\n", "\n\n\n", "x" * 100_000, "a\n1\nAAAA\n\n— b c\n"):
        found = damaged(f"UPDATE {CHECKPOINTS} SET note = %s", note)
        assert codes(found) == {"CHECKPOINT_SIGNATURE"}, note[:60]


def test_a_checkpoint_of_any_size() -> None:
    for size in (-1, 0, 2**62):
        assert codes(damaged(f"UPDATE {CHECKPOINTS} SET tree_size = %s", size)) == {"ROOT_MISMATCH"}, size


def test_a_definition_that_is_none() -> None:
    for text in ("", "{", "[]", "null", "x" * 300_000):
        found = damaged(f"UPDATE {DEFINITIONS} SET json = %s WHERE model_label = 'testapp.light'", text)
        assert {(one.code, one.record) for one in found} == {("DEFINITION_MISMATCH", "testapp.light")}


@only_sqlite
@pytest.mark.parametrize("value", ["x'ff'", "CAST(x'ff41' AS TEXT)", "'x'", "-1"])
def test_any_other_column_of_another_type(value: str) -> None:
    Door.objects.create(code="front")
    Parcel.objects.create()
    seal()
    for table, columns in OTHERS.items():
        for column in columns.split():
            first = f"rowid = (SELECT min(rowid) FROM {table})" if table != DEFINITIONS else OF_LIGHTS
            assert damaged(f"UPDATE {table} SET {column} = {value} WHERE {first}"), (table, column)
