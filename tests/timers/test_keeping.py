"""Every record has the timers it should have, whatever road it came by."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from django.db import connection

from fsm_lifecycle import adopting
from fsm_lifecycle.ledger import horizon
from fsm_lifecycle.models import LogCursor, Timer
from fsm_lifecycle.timers import keeping
from fsm_lifecycle.timers.moments import timed_labels
from tests.testapp.clocks import Bill, Case, Question
from tests.timers.conftest import START, TESTER
from tests.timers.working import set_timers, timers, work

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]
Clock = time_machine.Traveller


def test_records_older_than_the_follower_get_theirs_when_it_begins() -> None:
    case = Case.objects.create()
    LogCursor.objects.all().delete()
    assert set_timers() == 1
    assert timers() == [(str(case.pk), "chase", "12-30 10:00")]


def test_an_event_that_is_timed_only_now_finds_its_records(monkeypatch: pytest.MonkeyPatch) -> None:
    shelved = Case.objects.create()
    shelved.fire("shelve", actor=TESTER)
    monkeypatch.setattr(keeping, "timed_labels", dict)
    work()
    assert timers() == []
    monkeypatch.setattr(keeping, "timed_labels", timed_labels)
    work()
    assert timers() == [(str(shelved.pk), "close", "12-02 10:00")]


def test_adopted_records_have_theirs() -> None:
    set_timers()
    with adopting("import"):
        case = Case.objects.create(state="shelved")
    set_timers()
    assert timers() == [(str(case.pk), "close", "12-02 10:00")]


def test_restored_rows_are_found_by_the_periodic_look(tmp_path: Any) -> None:
    case = Case.objects.create()
    key = str(case.pk)
    set_timers()
    fixture = tmp_path / "case.json"
    with fixture.open("w") as file:
        call_command("dumpdata", "testapp.case", stdout=file)
    case.delete()
    call_command("loaddata", str(fixture), verbosity=0)
    keeping.reconcile("default")
    assert [(pk, event) for pk, event, _ in timers()] == [(key, "chase")]


def test_timers_of_models_events_and_records_that_are_gone_are_removed() -> None:
    case = Case.objects.create()
    work()
    (timer,) = Timer.objects.all()
    for changes in ({"model_label": "shop.gone"}, {"event": "gone"}, {"object_pk": str(case.pk + 1)}):
        fields = {
            "model_label": timer.model_label,
            "event": timer.event,
            "object_pk": timer.object_pk,
            **changes,
        }
        Timer.objects.create(sequence=1, fires_at=START, due_at=START + timedelta(days=99), **fields)
    assert keeping.reconcile("default") == 3
    assert list(Timer.objects.all()) == [timer]


def test_a_timer_that_was_lost_is_found() -> None:
    Case.objects.create()
    work()
    Timer.objects.all().delete()
    assert keeping.reconcile("default") == 1
    assert keeping.reconcile("default") == 0


def test_what_waits_for_another_hour_is_left_alone(clock: Clock) -> None:
    Case.objects.create(blocked=True)
    work()
    clock.shift(timedelta(days=30))
    work()
    (before,) = timers()
    assert keeping.reconcile("default") == 0
    assert timers() == [before]


def test_setting_costs_the_same_for_one_record_and_for_hundred(
    django_assert_max_num_queries: Callable[[int], AbstractContextManager[Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # How often MariaDB is asked who else writes depends on who else asks.
    monkeypatch.setattr(horizon, "open_writers", lambda connection: frozenset())
    set_timers()
    Case.objects.bulk_create([Case() for _ in range(100)])
    with django_assert_max_num_queries(15):
        set_timers()
    assert Timer.objects.count() == 100


def test_firing_hundred_costs_few_statements(
    clock: Clock, django_assert_max_num_queries: Callable[[int], AbstractContextManager[Any]]
) -> None:
    from fsm_lifecycle.dispatch.working import drain
    from fsm_lifecycle.timers.firing import QUEUE

    Bill.objects.bulk_create([Bill(due_date=START.date()) for _ in range(100)])
    Bill.objects.all().fire("send", actor=TESTER)
    set_timers()
    # executemany, where there is no json_to_recordset, counts once.
    with django_assert_max_num_queries(24):
        assert drain(QUEUE, "default") == 100
    assert Bill.objects.filter(state="overdue").count() == 100


def test_fire_itself_asks_nothing_about_timers(django_assert_num_queries: Any) -> None:
    case = Case.objects.create()
    question = Question.objects.create()
    del question
    with django_assert_num_queries(2):
        case.fire("shelve", actor=TESTER)
    assert connection.alias == "default"
