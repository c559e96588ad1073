"""The checks of the ledger: its settings, SQLite's, the routers, and the protection that should be there."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.checks import run_checks
from django.db import connection, connections

from fsm_lifecycle.checks.ledger import check_ledger, check_origin, check_protection
from fsm_lifecycle.ledger import protection
from tests.checks.asking import ids

SOUND = {"transaction_mode": "IMMEDIATE", "timeout": 20, "init_command": "PRAGMA journal_mode = wal"}


@pytest.fixture
def sqlite(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Options of the second database, which is SQLite in every run."""
    options: dict[str, Any] = dict(SOUND)
    monkeypatch.setitem(connections.settings["other"], "OPTIONS", options)
    return options


def test_sqlite_as_it_should_be_is_left_alone(sqlite: dict[str, Any]) -> None:
    assert ids(check_ledger()) == []


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("transaction_mode", None, "IMMEDIATE"),
        ("transaction_mode", "DEFERRED", "IMMEDIATE"),
        ("timeout", 5, '"timeout": 20'),
        ("timeout", None, '"timeout": 20'),
        ("init_command", "PRAGMA journal_mode=DELETE", "journal_mode=WAL"),
        ("init_command", None, "journal_mode=WAL"),
    ],
)
def test_sqlite_that_lets_writers_fail_is_a_warning(
    sqlite: dict[str, Any], option: str, value: Any, said: str
) -> None:
    sqlite[option] = value
    (message,) = check_ledger()
    assert message.id == "fsm_lifecycle.W062"
    assert "'other'" in message.msg
    assert said in str(message.hint)


def test_the_origin_is_asked_for_before_a_deployment(settings: Any) -> None:
    settings.FSM_LIFECYCLE = {}
    settings.ALLOWED_HOSTS = ["*", ".shop.example.com"]
    (message,) = check_origin()
    assert message.id == "fsm_lifecycle.W063"
    assert "shop.example.com" in message.msg
    settings.FSM_LIFECYCLE = {"LEDGER_ORIGIN": "example.com/orders"}
    assert check_origin() == []


class ElsewhereRouter:
    """Keeps the log in a database of its own."""

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        return db == "other" if app_label == "fsm_lifecycle" else None


def test_a_router_that_parts_log_and_records_is_an_error(settings: Any) -> None:
    settings.DATABASE_ROUTERS = ["tests.checks.test_ledger.ElsewhereRouter"]
    found = check_ledger()
    assert set(ids(found)) == {"E064"}
    assert "TransitionLog" in found[0].msg
    assert "allow_migrate" in str(found[0].hint)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SEAL_MERGE_DELAY", -1),
        ("SEAL_MERGE_DELAY", "60"),
        ("SEAL_MERGE_DELAY", True),
        ("LEDGER_ORIGIN", ""),
        ("LEDGER_ORIGIN", "two words"),
        ("LEDGER_ORIGIN", "a+b"),
        ("LEDGER_EXPORT", "json.dumps"),
        ("LEDGER_EXPORT", ["no.such.thing"]),
        ("LEDGER_EXPORT", ["math.pi"]),
        ("LEDGER_CHECKPOINT_DIR", 7),
    ],
)
def test_a_setting_that_cannot_be_used_is_an_error(settings: Any, name: str, value: Any) -> None:
    settings.FSM_LIFECYCLE = {name: value}
    (message,) = check_ledger()
    assert message.id == "fsm_lifecycle.E065"
    assert name in message.msg


@pytest.mark.django_db
def test_a_missing_trigger_is_a_warning_that_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_checks(databases=["default"], tags=["database"]) == []
    monkeypatch.setattr(protection, "missing", lambda connection: [f"{connection.alias} lacks one."])
    (message,) = check_protection(databases=["default"])
    assert message.id == "fsm_lifecycle.W061"
    assert message.msg == "default lacks one."
    assert message.hint == "Run: manage.py migrate --database default"
    assert check_protection() == []


@pytest.mark.skipif(connection.vendor != "sqlite", reason="DDL in a test's transaction")
@pytest.mark.django_db
def test_a_trigger_that_somebody_dropped_is_found() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'testapp_light'")
        (name,) = cursor.fetchone()
        cursor.execute(f'DROP TRIGGER "{name}"')
    (message,) = check_protection(databases=["default"])
    assert message.id == "fsm_lifecycle.W061"
    assert "testapp_light" in message.msg
    assert name in message.msg
