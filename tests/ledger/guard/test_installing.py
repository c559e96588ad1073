"""The protection is installed once, told from what is missing or altered, and taken away when it is switched off."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext

from fsm_lifecycle import ProtectionOutdated
from fsm_lifecycle.ledger import protection
from fsm_lifecycle.ledger.protection import installing
from fsm_lifecycle.ledger.protection.rules import AppendOnlyRule, StateRule, rules
from fsm_lifecycle.ledger.protection.trigger import Installed
from fsm_lifecycle.models import TransitionLog
from tests.acting import ACTOR
from tests.ledger.guard.growing import contents, execute, quoted, refused
from tests.ledger.guard.moving import HEAD, Row
from tests.testapp.models import Light

pytestmark = pytest.mark.usefixtures("transactional_db")

LIGHT = "testapp_light"


@contextmanager
def statements() -> Iterator[list[str]]:
    """The statements of the block that change what there is, tables and triggers, not rows."""
    found: list[str] = []
    with CaptureQueriesContext(connection) as captured:
        yield found
    found += [q["sql"] for q in captured if re.match(r"\s*(CREATE|DROP|ALTER)", q["sql"], re.IGNORECASE)]


@contextmanager
def table_of(change: Callable[[frozenset[tuple[str, str]]], Any]) -> Iterator[None]:
    """The code has another table for lights, the rest as it is."""

    def changed(using: str) -> list[Any]:
        return [
            replace(rule, edges=frozenset(change(rule.edges)))
            if isinstance(rule, StateRule) and rule.table == LIGHT
            else rule
            for rule in rules(using)
        ]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(installing, "rules", changed)
        yield


def trigger_of(table: str) -> Installed:
    found = [t for t in installing._installed(connection).values() if t.table == table]
    return sorted(found, key=lambda trigger: trigger.name)[0]


def drop(trigger: Installed) -> None:
    for sql in installing._drops(connection, trigger):
        execute(sql)


def test_a_second_installation_executes_nothing() -> None:
    assert protection.missing(connection) == protection.outdated(connection) == []
    with statements() as sent:
        assert protection.install(connection) == []
    assert sent == []


def test_every_table_is_covered() -> None:
    tables = {rule.table for rule in rules("default")}
    assert tables <= {trigger.table for trigger in installing._installed(connection).values()}
    assert sum(isinstance(rule, AppendOnlyRule) for rule in rules("default")) == 7


def test_a_dropped_trigger_is_missed_by_name_and_comes_back() -> None:
    for table in [LIGHT, TransitionLog._meta.db_table, "testapp_document", "fsm_lifecycle_accessevent"]:
        for trigger in [t for t in installing._installed(connection).values() if t.table == table]:
            drop(trigger)
            (sentence,) = protection.missing(connection)
            assert table in sentence
            assert trigger.name in sentence
            assert len(protection.install(connection)) == 1
            assert protection.missing(connection) == protection.outdated(connection) == []


def test_switching_the_guard_off_takes_everything_away(settings: Any) -> None:
    Light.objects.create()
    settings.FSM_LIFECYCLE = {"DATABASE_GUARD": False}
    assert protection.missing(connection) == protection.outdated(connection) == []
    protection.install(connection)
    assert installing._installed(connection) == {}
    with transaction.atomic():
        assert execute("UPDATE testapp_light SET state = 'nowhere'") == 1
        assert execute(f"UPDATE {quoted(TransitionLog)} SET kind = 'x'") == 1
        transaction.set_rollback(True)
    Light.objects.get().fire("switch_on", actor=ACTOR)
    with statements() as sent:
        protection.install(connection)
    assert sent == []
    settings.FSM_LIFECYCLE = {}
    assert len(protection.missing(connection)) > 20
    protection.install(connection)
    assert protection.missing(connection) == protection.outdated(connection) == []
    with refused():
        execute("UPDATE testapp_light SET state = 'nowhere'")


def test_one_table_s_protection_comes_and_goes_alone() -> None:
    before = {t.name for t in installing._installed(connection).values() if t.table != LIGHT}
    assert len(protection.remove(connection, [LIGHT])) == 1
    assert {t.name for t in installing._installed(connection).values()} == before
    assert protection.install(connection, ["testapp_door"]) == []
    assert len(protection.install(connection, [LIGHT])) == 1


@pytest.mark.skipif(connection.vendor != "postgresql", reason="PostgreSQL's own ways of switching off")
def test_a_trigger_that_is_not_always_enabled_is_missed() -> None:
    Light.objects.create()
    for table in (LIGHT, TransitionLog._meta.db_table):
        for way in ("ENABLE TRIGGER", "ENABLE REPLICA TRIGGER", "DISABLE TRIGGER"):
            trigger = trigger_of(table)
            execute(f'ALTER TABLE {table} {way} "{trigger.name}"')
            (sentence,) = protection.missing(connection)
            assert table in sentence
            assert trigger.name in sentence
            protection.install(connection)
            assert protection.missing(connection) == []
    with refused():
        execute(f"TRUNCATE {quoted(TransitionLog)}")


@pytest.mark.skipif(connection.vendor != "postgresql", reason="PostgreSQL's functions")
def test_a_function_that_lost_its_teeth_is_told() -> None:
    name = trigger_of(LIGHT).name
    execute(
        f'CREATE OR REPLACE FUNCTION "{name}"() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$'
    )
    told = [*protection.missing(connection), *protection.outdated(connection)]
    assert any(LIGHT in sentence and name in sentence for sentence in told)
    protection.install(connection)
    assert protection.missing(connection) == protection.outdated(connection) == []


@pytest.mark.skipif(connection.vendor != "mysql", reason="MariaDB's definers")
def test_a_definer_that_is_gone_is_told() -> None:
    """Its triggers make every UPDATE fail, or protect nothing: a dump brings the definers of where it was made."""
    trigger = trigger_of(LIGHT)
    with connection.cursor() as cursor:
        cursor.execute(f"SHOW CREATE TRIGGER `{trigger.name}`")
        sql = str(cursor.fetchone()[2])
    # The server's other databases may be under the same test.
    gone = f"fsm_guard_{uuid.uuid4().hex[:8]}"
    sql = re.sub(r"DEFINER=`[^`]*`@`[^`]*`", f"DEFINER=`{gone}`@`localhost`", sql)
    execute(f"CREATE USER {gone}@localhost")
    try:
        drop(trigger)
        execute(sql)
        assert protection.missing(connection) == []
    finally:
        execute(f"DROP USER {gone}@localhost")
    (sentence,) = protection.missing(connection)
    assert LIGHT in sentence
    assert trigger.name in sentence
    assert f"{gone}@localhost" in sentence
    protection.install(connection)
    assert protection.missing(connection) == protection.outdated(connection) == []


@pytest.mark.skipif(connection.vendor != "mysql", reason="MariaDB's TRUNCATE")
def test_a_table_in_the_way_of_truncate_is_missed() -> None:
    execute("DROP TABLE fsm_lifecycle_logleaf_keep")
    (sentence,) = protection.missing(connection)
    assert "fsm_lifecycle_logleaf" in sentence
    protection.install(connection)
    with pytest.raises(DatabaseError):
        execute("TRUNCATE fsm_lifecycle_logleaf")


def test_an_older_trigger_refuses_what_the_code_allows_and_says_what_to_do() -> None:
    """One firing, a firing on a queryset, and one among others: nothing is half written."""
    light, other = Light.objects.create(), Light.objects.create()
    with table_of(lambda edges: edges - {("off", "on")}):
        protection.remove(connection, [LIGHT])
        protection.install(connection)
    try:
        assert any(LIGHT in sentence for sentence in protection.outdated(connection))
        before = (contents(Light), contents(TransitionLog))
        with pytest.raises(ProtectionOutdated, match=r"manage\.py migrate") as caught:
            light.fire("switch_on", actor=ACTOR)
        assert caught.value.code == "protection_outdated"
        assert isinstance(caught.value.__cause__, DatabaseError)
        with pytest.raises(ProtectionOutdated, match=r"manage\.py migrate"):
            Light.objects.all().fire("switch_on", actor=ACTOR)
        with pytest.raises(ProtectionOutdated):
            Light.objects.all().fire("switch_on", actor=ACTOR, all_or_nothing=True)
        with transaction.atomic():
            with pytest.raises(ProtectionOutdated), transaction.atomic():
                light.fire("switch_on", actor=ACTOR)
            assert Light.objects.count() == 2  # the transaction goes on
        assert (contents(Light), contents(TransitionLog)) == before
        assert light.state == "off"
        other.fire("smash", actor=ACTOR)
    finally:
        assert len(protection.install(connection)) == 1
    light.fire("switch_on", actor=ACTOR)


def _moves(row: Row, old: str, new: str) -> bool:
    with transaction.atomic():
        row.put(old, 5, HEAD)
        return row.passes(state=new, lifecycle_sequence=6)


def test_while_a_rollout_runs_both_tables_are_in_force_and_after_a_day_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    row = Row(Light.objects.create())
    with table_of(lambda edges: {*edges - {("off", "on")}, ("broken", "off")}):
        assert len(protection.install(connection)) == 1
        assert protection.install(connection) == []
        assert _moves(row, "off", "on")
        assert _moves(row, "broken", "off")
        assert not _moves(row, "broken", "on")
        assert protection.missing(connection) == []
        (sentence,) = protection.outdated(connection)
        assert "off → on" in sentence
        _let_pass(monkeypatch, timedelta(hours=23))
        assert protection.install(connection) == []
        assert _moves(row, "off", "on")
        _let_pass(monkeypatch, timedelta(hours=25))
        assert len(protection.install(connection)) == 1
        assert not _moves(row, "off", "on")
        assert _moves(row, "broken", "off")
        assert protection.outdated(connection) == []
    protection.remove(connection, [LIGHT])


def test_a_table_taken_back_at_once_still_knows_both() -> None:
    """A deployment, and another one back: programs of either are still running."""
    row = Row(Light.objects.create())
    with table_of(lambda edges: edges | {("broken", "off")}):
        protection.install(connection)
    protection.install(connection)
    assert _moves(row, "broken", "off")
    with table_of(lambda edges: edges - {("off", "on")}):
        protection.install(connection)
        assert _moves(row, "broken", "off")
        assert _moves(row, "off", "on")
    protection.remove(connection, [LIGHT])


def _let_pass(monkeypatch: pytest.MonkeyPatch, time: timedelta) -> None:
    """The clock of the installation goes on by this much from now."""

    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz) + time

    monkeypatch.setattr(installing, "datetime", Later)
