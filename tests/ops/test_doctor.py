"""The doctor: each thing is made wrong, and is named with what to do."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, connections
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from fsm_lifecycle import System
from fsm_lifecycle.access import delegate, grant_role
from fsm_lifecycle.ledger import protection
from fsm_lifecycle.ledger.keys import new_key
from fsm_lifecycle.ledger.outside import OutsideFolder
from fsm_lifecycle.ledger.protection import installing
from fsm_lifecycle.ledger.protection.rules import rules
from fsm_lifecycle.ledger.sealing import seal
from fsm_lifecycle.models import GrantTerm, SealProgress, TransitionLog
from fsm_lifecycle.ops import doctor
from fsm_lifecycle.ops.checkers import database, definitions, grants, records, sealing
from fsm_lifecycle.ops.problem import Problem
from tests.acting import ACTOR
from tests.ledger.unprotected import unprotected
from tests.ops.clock import it_is
from tests.testapp.models import Invoice, Light
from tests.testapp.offices import Claim

pytestmark = pytest.mark.django_db(databases=["default", "other"])

ORIGIN = "example.com/doctor"


@pytest.fixture(autouse=True)
def configured(tmp_path: Path, settings: Any) -> Path:
    """A ledger with everything it should have; the folder of its checkpoints."""
    folder = tmp_path / "checkpoints"
    settings.FSM_LIFECYCLE = {
        "LEDGER_ORIGIN": ORIGIN,
        "LEDGER_KEY": str(tmp_path / "key"),
        "LEDGER_CHECKPOINT_DIR": folder,
    }
    new_key(tmp_path / "key", ORIGIN)
    return folder


def codes(found: Iterator[Problem]) -> list[str]:
    return [problem.code for problem in found]


def only(found: Iterator[Problem]) -> Problem:
    [problem] = found
    return problem


def execute(sql: str, *parameters: Any) -> None:
    with unprotected(connection), connection.cursor() as cursor:
        cursor.execute(sql, parameters)


def run(*args: str) -> tuple[int, str]:
    out = io.StringIO()
    try:
        call_command("lifecycle_doctor", *args, stdout=out, stderr=io.StringIO())
    except CommandError as error:
        return error.returncode, out.getvalue()
    return 0, out.getvalue()


# --- the whole ----------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_healthy_project_has_nothing_wrong() -> None:
    Light.objects.create().fire("switch_on", actor=ACTOR)
    seal()
    code, text = run()
    assert (code, text.splitlines()[0]) == (0, "Nothing is wrong with the lifecycles in “default”."), text
    code, text = run("--json")
    found = json.loads(text)
    assert (code, found["healthy"], found["problems"], found["not_looked_at"]) == (0, True, [], {})
    assert found["looked_at"] == [name for name, _ in doctor.CHECKERS]


def test_every_problem_says_what_and_what_to_do(settings: Any) -> None:
    settings.FSM_LIFECYCLE = {}
    code, text = run()
    assert code == 1
    assert "3 things are wrong" in text
    assert "\nUNSIGNED\n  Checkpoints are not signed" in text
    assert "→ Run: manage.py lifecycle_key new" in text
    code, text = run("--json")
    found = json.loads(text)
    assert (code, found["healthy"]) == (1, False)
    assert [problem["code"] for problem in found["problems"]] == [
        "ORIGIN_DEFAULT",
        "UNSIGNED",
        "CHECKPOINT_DIR_UNSET",
    ]
    assert all(problem["what"] and problem["remedy"] for problem in found["problems"])


def test_nothing_is_mended() -> None:
    seal()
    Light.objects.create()
    before = [list(model.objects.values()) for model in (TransitionLog, SealProgress)]
    run()
    assert [list(model.objects.values()) for model in (TransitionLog, SealProgress)] == before


def test_what_cannot_be_looked_at_is_said_and_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(using: str) -> list[Problem]:
        raise DatabaseError("no such table: light")

    monkeypatch.setattr(doctor, "CHECKERS", (("lights", broken), ("the ledger's name", sealing.origin)))
    code, text = run()
    assert code == 2
    assert "Not looked at: lights. The database says: no such table: light" in text
    assert "Looked at: the ledger's name." in text


@pytest.mark.parametrize("args", [["--nonsense"], ["extra"], ["--database", "nowhere"]])
def test_wrong_arguments_are_refused(args: list[str]) -> None:
    assert run(*args)[0] != 0


# --- the database -------------------------------------------------------------------------------------------


def test_a_migration_that_was_not_applied() -> None:
    assert codes(database.migrations("default")) == []
    [newest] = MigrationLoader(connection).graph.leaf_nodes("fsm_lifecycle")
    MigrationRecorder(connection).record_unapplied(*newest)
    problem = only(database.migrations("default"))
    assert problem.code == "MIGRATIONS_UNAPPLIED"
    assert ".".join(newest) in problem.what
    MigrationRecorder(connection).record_unapplied("fsm_lifecycle", "0001_initial")
    assert "MIGRATIONS_INCONSISTENT" in codes(database.migrations("default"))


def test_sqlite_that_begins_deferred(monkeypatch: pytest.MonkeyPatch) -> None:
    other: Any = connections["other"]
    assert "SQLITE_TRANSACTION_MODE" not in codes(database.sqlite("other"))
    monkeypatch.setattr(other, "transaction_mode", None)
    [problem] = [p for p in database.sqlite("other") if p.code == "SQLITE_TRANSACTION_MODE"]
    assert "DEFERRED" in problem.what
    assert '"transaction_mode": "IMMEDIATE"' in problem.remedy


@pytest.mark.django_db(transaction=True, databases=["default", "other"])
def test_sqlite_without_a_write_ahead_log() -> None:
    with connections["other"].cursor() as cursor:
        cursor.execute("PRAGMA journal_mode = DELETE")
        try:
            problem = only(database.sqlite("other"))
        finally:
            cursor.execute("PRAGMA journal_mode = WAL")
    assert problem.code == "SQLITE_JOURNAL"
    assert "journal_mode=WAL" in problem.remedy
    assert codes(database.sqlite("other")) == []


def test_sqlite_that_gives_up_early() -> None:
    with connections["other"].cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout = 5000")
        try:
            assert "SQLITE_TIMEOUT" in codes(database.sqlite("other"))
        finally:
            cursor.execute("PRAGMA busy_timeout = 20000")


@pytest.mark.django_db(transaction=True)
def test_a_trigger_that_is_missing() -> None:
    assert codes(database.protected("default")) == []
    protection.remove(connection, ["testapp_light"])
    try:
        found = list(database.protected("default"))
    finally:
        protection.install(connection)
    assert {problem.code for problem in found} == {"PROTECTION_MISSING"}
    assert all("testapp_light" in problem.what and "migrate" in problem.remedy for problem in found)
    assert codes(database.protected("default")) == []


def test_a_trigger_of_another_table_than_the_code_has(monkeypatch: pytest.MonkeyPatch) -> None:
    def fewer(using: str) -> list[Any]:
        wanted: list[Any] = rules(using)
        return [
            replace(rule, edges=frozenset(sorted(rule.edges)[1:])) if rule.table == "testapp_light" else rule
            for rule in wanted
        ]

    monkeypatch.setattr(installing, "rules", fewer)
    found = list(database.protected("default"))
    assert {problem.code for problem in found} == {"PROTECTION_OUTDATED"}
    assert "testapp_light" in found[0].what


def test_a_protection_that_is_turned_off(settings: Any) -> None:
    settings.FSM_LIFECYCLE = {"DATABASE_GUARD": False}
    assert codes(database.protected("default")) == ["PROTECTION_OFF"]


# --- definitions and records --------------------------------------------------------------------------------


def test_a_table_in_force_that_is_not_stored() -> None:
    assert codes(definitions.stored("default")) == []
    execute("DELETE FROM fsm_lifecycle_lifecycledefinition WHERE model_label = 'testapp.light'")
    problem = only(definitions.stored("default"))
    assert problem.code == "DEFINITION_NOT_STORED"
    assert "testapp.Light" in problem.what


def test_a_definition_that_entries_name_and_that_is_gone() -> None:
    Light.objects.create()
    execute("UPDATE fsm_lifecycle_transitionlog SET definition = %s", "0" * 64)
    problem = only(definitions.stored("default"))
    assert problem.code == "DEFINITION_MISSING"
    assert "0" * 64 in problem.what


def test_records_in_a_state_that_the_table_has_no_more() -> None:
    lights = [Light.objects.create() for _ in range(3)]
    execute("UPDATE testapp_light SET state = 'dimmed' WHERE id <> %s", lights[0].pk)
    problem = only(records.states("default"))
    assert problem.code == "STATE_UNKNOWN"
    assert "2 of testapp.Light are in the state 'dimmed'" in problem.what
    assert "RemapState('testapp.Light', {'dimmed': …})" in problem.remedy


def test_a_state_that_only_a_child_has_is_known() -> None:
    invoice = Invoice.objects.create()
    execute("UPDATE testapp_invoice SET state = 'disputed' WHERE id = %s", invoice.pk)
    assert codes(records.states("default")) == []


def test_rows_without_a_log() -> None:
    assert codes(records.adopted("default")) == []
    Light.objects.create()
    execute("UPDATE testapp_light SET lifecycle_sequence = 0, lifecycle_head = ''")
    problem = only(records.adopted("default"))
    assert problem.code == "NOT_ADOPTED"
    assert "lifecycle_adopt testapp.Light" in problem.remedy


# --- grants -------------------------------------------------------------------------------------------------


def test_a_grant_that_has_ended_and_is_still_stored() -> None:
    ada, bob = User.objects.create_user("ada"), User.objects.create_user("bob")
    soon = timezone.now() + timedelta(days=1)
    grant_role(ada, "approver", on=Claim, until=soon, by=System("tests"))
    delegate(ada, bob, until=soon, by=System("tests"))
    assert codes(grants.ended("default")) == []
    later = timezone.now() + timedelta(days=2)
    with it_is(later.year, later.month, later.day, 23):
        problem = only(grants.ended("default"))
    assert problem.code == "GRANTS_EXPIRED"
    assert problem.what.startswith("2 grants")
    assert "--reconcile" in problem.remedy
    GrantTerm.objects.update(until=timezone.now() - timedelta(seconds=1))
    assert codes(grants.ended("default")) == ["GRANTS_EXPIRED"]
    call_command("lifecycle_roles", "--reconcile", verbosity=0)
    assert codes(grants.ended("default")) == []


# --- sealing ------------------------------------------------------------------------------------------------


def test_a_ledger_without_a_name_of_its_own(settings: Any) -> None:
    assert codes(sealing.origin("default")) == []
    settings.FSM_LIFECYCLE = {}
    assert codes(sealing.origin("default")) == ["ORIGIN_DEFAULT"]


def test_a_key_that_cannot_be_read(tmp_path: Path, settings: Any) -> None:
    assert codes(sealing.key("default")) == []
    (tmp_path / "key").chmod(0o644)
    assert "others may read" in only(sealing.key("default")).what
    (tmp_path / "key").unlink()
    assert codes(sealing.key("default")) == ["KEY_UNREADABLE"]
    settings.FSM_LIFECYCLE = {"LEDGER_KEY": "no.such.callable"}
    assert codes(sealing.key("default")) == ["KEY_UNREADABLE"]
    settings.FSM_LIFECYCLE = {}
    assert codes(sealing.key("default")) == ["UNSIGNED"]


def test_no_folder_outside(settings: Any) -> None:
    settings.FSM_LIFECYCLE = {}
    assert codes(sealing.folder("default")) == ["CHECKPOINT_DIR_UNSET"]


def test_a_folder_that_cannot_be_read(configured: Path) -> None:
    configured.mkdir()
    folder = OutsideFolder(configured, ORIGIN).folder
    assert codes(sealing.folder("default")) == []
    folder.write_text("no folder")
    assert codes(sealing.folder("default")) == ["CHECKPOINT_DIR_UNREADABLE"]


def test_a_folder_that_lost_its_checkpoints_or_has_not_the_newest(configured: Path) -> None:
    Light.objects.create()
    seal()
    Light.objects.create()
    seal()
    folder = OutsideFolder(configured, ORIGIN)
    assert codes(sealing.folder("default")) == []
    folder.place(2).unlink()
    assert codes(sealing.folder("default")) == ["CHECKPOINT_STALE"]
    for path in folder.newest(10):
        path.unlink()
    assert "2 entries are sealed" in only(sealing.folder("default")).what


def test_a_folder_that_knows_more_than_the_database(configured: Path) -> None:
    OutsideFolder(configured, ORIGIN).keep(7, "a checkpoint")
    assert codes(sealing.folder("default")) == ["CHECKPOINT_AHEAD"]


def test_sealed_entries_without_a_checkpoint() -> None:
    Light.objects.create()
    seal(checkpoint=False)
    assert codes(sealing.checkpoints("default")) == ["CHECKPOINT_BEHIND"]
    seal()
    assert codes(sealing.checkpoints("default")) == []


def test_entries_that_could_not_be_sealed() -> None:
    light = Light.objects.create()
    execute("UPDATE fsm_lifecycle_transitionlog SET actor_id = 'mallory'")
    assert codes(sealing.skipped("default")) == []
    seal()
    problem = only(sealing.skipped("default"))
    assert problem.code == "SEAL_SKIPPED"
    assert f"testapp.light:{light.pk} entry 1" in problem.what


def test_entries_that_nobody_seals(settings: Any) -> None:
    light = Light.objects.create()
    assert codes(sealing.unsealed("default")) == []
    with it_is(2026, 1, 1):
        light.fire("switch_on", actor=ACTOR)
        light.fire("blink", actor=ACTOR)
    problem = only(sealing.unsealed("default"))
    assert problem.code == "NOT_SEALED"
    assert problem.what.startswith("2 entries are not sealed")
    assert "lifecycle_seal" in problem.remedy
    seal()
    assert codes(sealing.unsealed("default")) == []
