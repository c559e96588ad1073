"""What pages and lists say of timers."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
import time_machine

from fsm_lifecycle import timers as api
from fsm_lifecycle.models import Timer
from tests.testapp.clocks import Bill, Case, Question, Reminder
from tests.testapp.models import Light
from tests.timers.conftest import START, TESTER
from tests.timers.working import work

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]
Clock = time_machine.Traveller


def test_the_next_one_is_known_before_its_timer_was_set() -> None:
    case = Case.objects.create()
    found = api.next_of(case)
    assert found is not None
    assert (found.event.name, found.due_at, found.fires_at) == (
        "chase",
        START + timedelta(days=30),
        START + timedelta(days=30),
    )
    assert api.next_of(Light.objects.create()) is None


def test_business_hours_are_reckoned_in(clock: Clock) -> None:
    clock.move_to(START.replace(month=12, day=24, hour=8))
    found = api.next_of(Question.objects.create())
    assert found is not None
    assert found.due_at == START.replace(month=12, day=28, hour=1)


def test_after_a_refusal_the_next_try_is_told(clock: Clock) -> None:
    case = Case.objects.create(blocked=True)
    work()
    clock.shift(timedelta(days=30))
    work()
    found = api.next_of(case)
    assert found is not None
    assert found.due_at == START + timedelta(days=30, hours=1)
    assert found.refused_at == START + timedelta(days=30)


def test_what_has_fired_does_not_come_again(clock: Clock) -> None:
    reminder = Reminder.objects.create(remind_at=START + timedelta(days=3))
    work()
    clock.shift(timedelta(days=2))
    work()
    reminder.refresh_from_db()
    assert [one.event.name for one in api.for_records([reminder])[reminder.pk]] == ["ring"]


def test_many_records_are_asked_about_together(django_assert_num_queries: Any) -> None:
    cases = [Case.objects.create() for _ in range(5)]
    bills = [Bill.objects.create(due_date=date(2026, 12, 5)) for _ in range(5)]
    bills[0].fire("send", actor=TESTER)
    with django_assert_num_queries(2):
        found = api.for_records([*cases, *bills])
    assert len(found) == 10
    assert len(found[cases[0].pk]) == 1
    assert [one.event.name for one in found[bills[0].pk]] == ["lapse"]
    assert found[bills[1].pk] == ()


def test_waiting_and_late(clock: Clock) -> None:
    Case.objects.create()
    work()
    (timer,) = api.waiting()
    assert isinstance(timer, Timer)
    assert not api.late().exists()
    clock.shift(timedelta(days=30, minutes=6))
    assert list(api.late()) == [timer]
