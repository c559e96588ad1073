"""The log as a file: what is in it, in which order, and that it is never half there."""

from __future__ import annotations

import hashlib
import io
import json
import os
import stat
import subprocess
import sys
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test import override_settings

from fsm_lifecycle import redact
from fsm_lifecycle.ledger import export as exporting
from fsm_lifecycle.ledger.chain import COLUMNS
from fsm_lifecycle.ledger.export import export
from fsm_lifecycle.models import Checkpoint, LifecycleDefinition, TransitionLog
from tests.acting import ACTOR
from tests.docsapp.page import blocks
from tests.ledger.by_hand import leaves_for, seal_all
from tests.ledger.unprotected import unprotected
from tests.testapp.models import Door, Light

pytestmark = pytest.mark.django_db(databases=["default", "other"])


def run(*args: Any) -> str:
    out = io.StringIO()
    call_command("lifecycle_export", *map(str, args), stdout=out, stderr=out)
    return out.getvalue()


def rows_of(path: Path, kind: str = "") -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]
    return [row for row in rows if not kind or row["type"] == kind]


def some_entries() -> list[TransitionLog]:
    """Five entries of two records, in the order in which they were written."""
    light = Light.objects.create(name="Ångström")
    door = Door.objects.create(code="ä ö:1")
    light.fire("switch_on", actor=ACTOR, metadata={"note": "“quoted” \\ \u2028 line", "many": [1, 2]})
    light.fire("blink", actor=ACTOR, idempotency_key="k-1", arguments={})
    door.fire("open_up", actor=ACTOR)
    return list(TransitionLog.objects.order_by("id"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.jsonl"


@override_settings(FSM_LIFECYCLE={"LEDGER_ORIGIN": "example.com/ledger"})
def test_a_file_holds_every_entry_as_it_is_stored(path: Path) -> None:
    entries = some_entries()
    leaves_for(entries[:2])
    leaves_for(entries[2:4])
    done = export("default", path)
    assert (done.entries, done.sealed, done.checkpoints, done.whole) == (5, 4, 2, True)
    rows = rows_of(path)
    assert [row["type"] for row in rows] == (
        ["header", "entry", "entry", "checkpoint", "entry", "entry", "checkpoint", "entry"]
        + ["definition"] * 2
        + ["trailer"]
    )
    header = rows[0]
    assert (header["format"], header["v"], header["origin"]) == ("fsm_lifecycle log", 1, "example.com/ledger")
    assert (header["since"], header["first_leaf"], header["tree_size"]) == (None, 0, 4)
    written = rows_of(path, "entry")
    assert [row["leaf_index"] for row in written] == [0, 1, 2, 3, None]
    for row, entry in zip(written, entries, strict=True):
        for name in COLUMNS:
            value = getattr(entry, name)
            if name in ("recorded_at", "occurred_at") and value is not None:
                value = f"{value:%Y-%m-%dT%H:%M:%S.%f}Z"
            assert row[name] == value, name


def test_the_last_line_counts_and_sums_up_what_came_before(path: Path) -> None:
    some_entries()
    seal_all()
    export("default", path)
    data = path.read_bytes()
    start = data.rindex(b"\n", 0, -1) + 1
    trailer = json.loads(data[start:])
    assert trailer == {
        "type": "trailer",
        "entries": 5,
        "sealed": 5,
        "checkpoints": 1,
        "definitions": len(rows_of(path, "definition")),
        "sha256": hashlib.sha256(data[:start]).hexdigest(),
    }


def test_the_definitions_that_entries_name_come_along(path: Path) -> None:
    entries = some_entries()
    export("default", path)
    found = {(row["model_label"], row["fingerprint"]): row["json"] for row in rows_of(path, "definition")}
    assert set(found) == {(entry.model_label, entry.definition) for entry in entries}
    for (_, fingerprint), text in found.items():
        assert hashlib.sha256(text.encode()).hexdigest() == fingerprint


def test_sealed_entries_go_by_leaf_index_whatever_their_keys(path: Path) -> None:
    entries = some_entries()
    order = [entries[i] for i in (1, 0, 2)]
    leaves_for(order)
    export("default", path)
    written = [row["entry_hash"] for row in rows_of(path, "entry")]
    assert written == [entry.entry_hash for entry in [*order, *entries[3:]]]


@pytest.mark.parametrize("page", [1, 2, 3])
def test_pages_lose_and_repeat_nothing(page: int, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = some_entries()
    for entry in entries[:3]:
        leaves_for([entry])
    for _ in range(3):  # several checkpoints of one tree
        leaves_for([])
    whole = path.with_name("whole")
    export("default", whole)
    monkeypatch.setattr(exporting, "PAGE", page)
    export("default", path)
    assert rows_of(path)[1:-1] == rows_of(whole)[1:-1]
    assert len(rows_of(path, "checkpoint")) == Checkpoint.objects.count() == 6


def test_since_a_leaf_leaves_out_what_an_earlier_export_has(path: Path) -> None:
    entries = some_entries()
    leaves_for(entries[:2])
    leaves_for(entries[2:4])
    export("default", path, since="2")
    assert rows_of(path)[0]["since"] == {"leaf_index": 2}
    assert [row["leaf_index"] for row in rows_of(path, "entry")] == [2, 3, None]
    assert [row["tree_size"] for row in rows_of(path, "checkpoint")] == [4]
    export("default", path, since="4")
    assert [row["leaf_index"] for row in rows_of(path, "entry")] == [None]


def test_since_a_time_begins_with_the_first_leaf_recorded_then(path: Path) -> None:
    entries = some_entries()
    days = {0: 10, 1: 5, 2: 8, 3: 4, 4: 20}  # days ago; the third leaf came late
    now = entries[0].recorded_at
    with unprotected(connection), connection.cursor() as cursor:
        for place, ago in days.items():
            at = connection.ops.adapt_datetimefield_value(now - timedelta(days=ago))
            cursor.execute(
                "UPDATE fsm_lifecycle_transitionlog SET recorded_at = %s WHERE id = %s",
                [at, entries[place].pk],
            )
    leaves_for(entries[:4])
    export("default", path, since=(now - timedelta(days=6)).isoformat())
    assert [row["leaf_index"] for row in rows_of(path, "entry")] == [1, 2, 3]  # the unsealed one is older
    assert rows_of(path)[0]["first_leaf"] == 1
    export("default", path, since=(now - timedelta(days=1)).isoformat())
    assert rows_of(path, "entry") == []
    assert rows_of(path)[0]["first_leaf"] == 4


@pytest.mark.parametrize("since", ["6", "yesterday", "-1", "2026-02-30"])
def test_a_beginning_that_there_is_not_is_refused_and_nothing_written(since: str, path: Path) -> None:
    leaves_for(some_entries())
    with pytest.raises(CommandError) as error:
        run("-o", path, f"--since={since}")
    assert error.value.returncode == 2
    assert "leaf" in str(error.value) or "leaves" in str(error.value)
    assert list(path.parent.iterdir()) == []


def test_an_empty_log_is_a_file_too(path: Path) -> None:
    assert "0 entries" in run("-o", path)
    assert [row["type"] for row in rows_of(path)] == ["header", "trailer"]


def test_another_database(path: Path) -> None:
    Light.objects.using("other").create().fire("switch_on", actor=ACTOR)
    assert "2 entries" in run("-o", path, "--database", "other")
    assert "0 entries" in run("-o", path)


def test_what_fails_half_way_leaves_the_former_file_alone(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_text("the former one")
    some_entries()

    def fail(self: Any) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(exporting._Writer, "_definitions", fail)
    with pytest.raises(CommandError, match="No space left") as error:
        run("-o", path)
    assert error.value.returncode == 2
    assert path.read_text() == "the former one"
    assert list(path.parent.iterdir()) == [path]


def test_only_its_owner_can_read_the_file(path: Path) -> None:
    run("-o", path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_standard_output_gets_the_same_and_the_rest_goes_elsewhere(path: Path) -> None:
    some_entries()
    seal_all()
    export("default", path)
    out, err = io.StringIO(), io.StringIO()
    call_command("lifecycle_export", "-o", "-", stdout=out, stderr=err)
    written = out.getvalue().split("\n")
    assert written[1:-2] == path.read_text().split("\n")[1:-2]
    assert "5 entries" in err.getvalue()


@pytest.mark.django_db(transaction=True)
def test_a_process_writes_utf_8_whatever_its_terminal_speaks(child_environment: Mapping[str, str]) -> None:
    some_entries()
    done = subprocess.run(
        [sys.executable, "-m", "django", "lifecycle_export", "-o", "-"],
        env={**child_environment, "LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=True,
        cwd=os.sep,
    )
    assert "“quoted”" in done.stdout.decode()
    assert b"5 entries" in done.stderr


def test_a_leaf_without_its_entry_is_named_and_the_rest_written(path: Path) -> None:
    entries = some_entries()
    leaves_for(entries)
    with unprotected(connection), connection.cursor() as cursor:
        cursor.execute("DELETE FROM fsm_lifecycle_transitionlog WHERE id = %s", [entries[2].pk])
    with pytest.raises(CommandError, match=r"lost their entry: 2\b.*lifecycle_verify") as error:
        run("-o", path)
    assert error.value.returncode == 1
    assert [row["leaf_index"] for row in rows_of(path, "entry")] == [0, 1, 3, 4]


def test_a_definition_that_is_not_stored_is_named(path: Path) -> None:
    entries = some_entries()
    with unprotected(connection), connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM fsm_lifecycle_lifecycledefinition WHERE fingerprint = %s", [entries[0].definition]
        )
    assert LifecycleDefinition.objects.exists()
    with pytest.raises(CommandError, match=entries[0].definition):
        run("-o", path)


@pytest.mark.parametrize(
    "args", [[], ["-o"], ["-o", "x", "--nonsense"], ["-o", "x", "--database", "nowhere"]]
)
def test_wrong_arguments_are_refused(args: list[str]) -> None:
    with pytest.raises(CommandError):
        run(*args)


def test_it_can_be_part_of_a_transaction(path: Path) -> None:
    with transaction.atomic():
        some_entries()
        assert export("default", path).entries == 5


# --- what an auditor copies from the docs ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def auditors() -> dict[str, Any]:
    """The program of the docs, by the names it defines."""
    page = Path(__file__).resolve().parent.parent.parent / "docs" / "ledger.md"
    found: dict[str, Any] = {}
    for language, code, _ in blocks(page.read_text(encoding="utf-8")):
        if language == "python" and ("def faults(" in code or "def root(" in code):
            exec(code, found)
    return found


#: For each column that an entry's hash covers, a value that no entry below has there.
CHANGED = {
    "v": 9,
    "model_label": "app.other",
    "object_pk": "other",
    "sequence": 77,
    "kind": "purged",
    "event": "other",
    "from_state": "other",
    "to_state": "other",
    "compensating": True,
    "actor_kind": "agent",
    "actor_id": "other",
    "recorded_at": "2001-01-01T00:00:00.000000Z",
    "occurred_at": "2001-01-01T00:00:00.000000Z",
    "cause": "0" * 64,
    "definition": "0" * 64,
    "body": '{"metadata":["salt",1]}',
    "prev_hash": "0" * 64,
    "entry_hash": "0" * 64,
}


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_the_docs_program_takes_what_was_exported_and_sees_every_change(
    path: Path, auditors: dict[str, Any]
) -> None:
    first, *_ = [entry for entry in some_entries() if entry.metadata]
    values = {
        "🙂": 1,
        "\uff5e": 2,
        "a": {"n": Decimal("1.50"), "u": "\x7f\u2028/", "b": [True, None, "redacted"]},
    }
    Light.objects.create().fire("switch_on", actor=ACTOR, metadata=values)
    redact(first, ["metadata"], reason="asked", by=ACTOR)
    seal_all()
    export("default", path)
    whole = path.read_bytes()

    def faults(rows: list[dict[str, Any]]) -> list[str]:
        lines = [json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows]
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return list(auditors["faults"](path))

    rows = rows_of(path)
    assert faults(rows) == []
    assert path.read_bytes() == whole
    entries = [row for row in rows if row["type"] == "entry"]
    leaves = [bytes.fromhex(row["entry_hash"]) for row in entries]
    [checkpoint] = [row for row in rows if row["type"] == "checkpoint"]
    assert auditors["root"](leaves).hex() == checkpoint["root_hash"]
    assert set(CHANGED) == set(COLUMNS) - {"body_hash", "idempotency_key", "idempotency_digest"}
    for name, value in CHANGED.items():
        changed = [{**row, name: value} if row is entries[2] else row for row in rows]
        assert any(fault.startswith("Line") for fault in faults(changed)), name
    assert any(fault.startswith("Line") for fault in faults([row for row in rows if row is not entries[0]]))
    assert faults(rows[:-1]) == ["The end of the file is missing."]
    assert faults([{**rows[0], "origin": "other"}, *rows[1:]]) == [
        "The file was changed after it was written."
    ]
