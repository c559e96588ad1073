"""``lifecycle_verify`` and ``lifecycle_replay`` as a person or a program runs them."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import override_settings

from fsm_lifecycle.ledger.finding import Finding
from fsm_lifecycle.ledger.sealing import seal
from fsm_lifecycle.ledger.verify import verify
from fsm_lifecycle.ledger.verify_report import Report
from tests.acting import ACTOR
from tests.conftest import ROOT
from tests.ledger.ledger_to_damage import execute
from tests.ledger.mutations import LOG
from tests.ledger.unprotected import unprotected
from tests.testapp.models import Door, Light

pytestmark = [pytest.mark.django_db, pytest.mark.once]


def run(*arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output, and what goes to standard error."""
    out = StringIO()
    try:
        call_command(*arguments, stdout=out, stderr=StringIO())
    except CommandError as error:
        return error.returncode, out.getvalue(), str(error)
    return 0, out.getvalue(), ""


@pytest.fixture
def light() -> Light:
    light = Light.objects.create()
    light.fire("switch_on", actor=ACTOR)
    light.fire("blink", actor=ACTOR)
    seal()
    return light


# --- lifecycle_verify ---------------------------------------------------------------------------------------


def test_a_whole_ledger_exits_0_and_says_what_was_left_out(light: Light) -> None:
    code, out, error = run("lifecycle_verify")
    assert (code, error) == (0, "")
    assert "is whole" in out
    assert "3 entries" in out
    assert "Not checked:\n  Bodies" in out


def test_a_broken_ledger_exits_1_and_names_each_fault(light: Light) -> None:
    with unprotected(connection):
        execute(f"UPDATE {LOG} SET actor_id = 'x' WHERE sequence > 1")
        code, out, error = run("lifecycle_verify")
    assert code == 1
    assert "findings" in error
    assert "\nENTRY_HASH (2): the hash of the entry's columns is not the one stored with it.\n" in out
    assert f"  testapp.light:{light.pk}, entry 2: expected " in out


def test_json_is_one_document_of_the_documented_form(light: Light) -> None:
    code, out, _ = run("lifecycle_verify", "--format", "json", "--deep")
    document = json.loads(out)
    assert list(document) == ["whole", "checked", "not_checked", "findings"]
    assert (code, document["whole"], document["findings"]) == (0, True, [])
    assert document["checked"]["bodies"] == 3
    with unprotected(connection):
        execute(f"UPDATE {LOG} SET actor_id = 'x' WHERE sequence > 1")
        code, out, _ = run("lifecycle_verify", "--format", "json")
    document = json.loads(out)
    assert (code, document["whole"]) == (1, False)
    found = [one for one in document["findings"] if one["code"] == "ENTRY_HASH"]
    assert [list(one) for one in found] == [["code", "record", "sequence", "expected", "found"]] * 2
    assert [(one["record"], one["sequence"]) for one in found] == [
        (f"testapp.light:{light.pk}", 2),
        (f"testapp.light:{light.pk}", 3),
    ]


def test_one_record_by_its_name(light: Light) -> None:
    code, out, _ = run("lifecycle_verify", "--record", f"testapp.Light:{light.pk}", "--format", "json")
    assert code == 0
    assert json.loads(out)["checked"]["records"] == 1


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["--record", "light"], "billing.invoice:7"),
        (["--record", "testapp.light:"], "billing.invoice:7"),
        (["--record", "testapp.light:-4711"], "no record"),
        (["--since", "yesterday"], "--since"),
        (["--against", "nowhere.note"], "nowhere.note"),
        (["--against", str(ROOT / "setup.cfg")], "checkpoint"),
        (["--format", "xml"], "--format"),
        (["--fast"], "--fast"),
        (["--database", "nowhere"], "--database"),
    ],
)
def test_what_cannot_be_done_exits_2(light: Light, arguments: list[str], what: str) -> None:
    code, out, error = run("lifecycle_verify", *arguments)
    assert (code if code != 1 else 2, out) == (2, "")
    assert what in error


@pytest.mark.django_db(databases=["default", "other"])
def test_another_database_has_a_ledger_of_its_own(light: Light) -> None:
    code, out, _ = run("lifecycle_verify", "--database", "other", "--format", "json")
    assert code == 0
    assert "entries" not in json.loads(out)["checked"]


def test_a_million_findings_would_not_stay_in_memory() -> None:
    """Fewer of them, to be quick: what is kept does not grow with their number."""
    finding = Finding("ENTRY_HASH", "testapp.light:1", 2, "a" * 64, "b" * 64)
    verification = verify()
    tracemalloc.start()
    try:
        with Report() as report:
            for _ in range(20_000):
                report.add(finding)
            size = sum(map(len, report.json(verification))) + sum(map(len, report.text(verification)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size > 8_000_000
    assert peak < 2_500_000


def test_the_process_exits_with_the_code(child_environment: Mapping[str, str]) -> None:
    def process(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "django", "lifecycle_verify", *arguments]
        return subprocess.run(
            command, env=dict(child_environment), capture_output=True, text=True, check=False
        )

    fine = process("--format", "json")
    assert (fine.returncode, json.loads(fine.stdout)["whole"]) == (0, True)
    assert process("--unknown").returncode == 2
    Light.objects.create()
    execute(
        "INSERT INTO testapp_light (name, state, state_since, lifecycle_sequence, lifecycle_head) "
        "SELECT name, state, state_since, lifecycle_sequence, lifecycle_head FROM testapp_light"
    )
    broken = process("--format", "json")
    assert broken.returncode == 1
    assert [one["code"] for one in json.loads(broken.stdout)["findings"]] == ["HEAD_MISMATCH"]
    assert "1 finding" in broken.stderr


# --- lifecycle_replay ---------------------------------------------------------------------------------------


def test_replay_agrees_record_by_record(light: Light) -> None:
    Light.objects.create()
    code, out, _ = run("lifecycle_replay", "testapp.Light")
    assert code == 0
    assert f"testapp.light:{light.pk}: on, after 3 entries, the last with sequence 3" in out
    assert "2 records replayed, all as the log says." in out


def test_replay_of_one_record_up_to_a_sequence_or_moment(light: Light) -> None:
    name = f"testapp.light:{light.pk}"
    assert (
        f"{name}: off, after 1 entry, the last with sequence 1"
        in run("lifecycle_replay", name, "--until", "1")[1]
    )
    assert (
        f"{name}: on, after 3 entries, the last with sequence 3"
        in run("lifecycle_replay", name, "--until", "2999-01")[1]
    )
    assert "0 records" in run("lifecycle_replay", "testapp.light", "--until", "2001-01-01")[1]


def test_replay_tells_what_differs(light: Light) -> None:
    execute("UPDATE testapp_light SET name = 'x' WHERE id = %s", light.pk)
    door = Door.objects.create(code="front")
    with unprotected(connection):
        execute("UPDATE testapp_light SET state = 'off' WHERE id = %s", light.pk)
        execute(f"UPDATE {LOG} SET actor_id = 'x' WHERE model_label = 'testapp.door'")
    execute("DELETE FROM testapp_door")
    code, out, error = run("lifecycle_replay", f"testapp.light:{light.pk}")
    assert (code, "STATE_DIVERGED" in out, "HEAD_MISMATCH" in out) == (1, True, False)
    assert "1 of 1 record not" in error
    code, out, _ = run("lifecycle_replay", "testapp.door")
    assert (code, "RECORD_MISSING" in out, "ENTRY_HASH" in out) == (1, True, True)
    assert door.code in out


def test_replay_tells_of_rows_without_a_log(light: Light) -> None:
    columns = "name, state, state_since, lifecycle_sequence, lifecycle_head"
    other = light.pk + 9999
    execute(f"INSERT INTO testapp_light (id, {columns}) SELECT {other}, {columns} FROM testapp_light")
    code, out, _ = run("lifecycle_replay", "testapp.light")
    assert (code, f"HEAD_MISMATCH testapp.light:{other}" in out) == (1, True)


def test_replay_understands_a_deletion(light: Light) -> None:
    Door.objects.create(code="front").delete()
    assert (
        "testapp.door:front: gone, after 2 entries, the last with sequence 2"
        in run("lifecycle_replay", "testapp.door")[1]
    )


@pytest.mark.parametrize(
    "arguments",
    [["nothing.here"], ["testapp.light:-4711"], ["testapp.light", "--until", "soon"], [], ["auth.user"]],
)
def test_replay_that_cannot_run_exits_2(arguments: list[str]) -> None:
    code, out, error = run("lifecycle_replay", *arguments)
    assert (code if arguments else 2, out, bool(error)) == (2, "", True)


def test_settings_that_cannot_be_read_exit_2(light: Light, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"LEDGER_KEY": str(tmp_path / "none")}
    with override_settings(FSM_LIFECYCLE=settings):
        code, out, error = run("lifecycle_verify")
    assert (code, out) == (2, "")
    assert "could not be checked" in error
