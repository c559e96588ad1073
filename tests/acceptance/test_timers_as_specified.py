"""Timers and business hours, by the specification's words alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any
from unittest import mock

import pytest
import time_machine
from django.core.management import call_command

from fsm_lifecycle import BusinessHours, GuardFailed, System, acting_as
from fsm_lifecycle.models import RefusedAttempt, Timer
from tests.testapp.clocks import CLOSED, HOURS, Bill, Case, Question, Reminder

START = datetime(2026, 11, 30, 10, tzinfo=UTC)  # a Monday
TESTER = System("test")
# What tells databases apart is tried in tests/timers and tests/concurrency.
pytestmark = [pytest.mark.django_db, pytest.mark.once]


@contextmanager
def travelled(moment: datetime) -> Iterator[None]:
    with time_machine.travel(moment, tick=False):
        yield


@contextmanager
def patched(moment: datetime) -> Iterator[None]:
    with mock.patch("django.utils.timezone.now", return_value=moment):
        yield


@pytest.fixture(params=[travelled, patched])
def at(request: Any, settings: Any) -> Any:
    """Two ways in which tests stop the clock."""
    settings.FSM_LIFECYCLE = {"DISPATCH": "command"}
    CLOSED.clear()
    return request.param


def work() -> None:
    call_command("lifecycle_work", "--once", verbosity=0)


def test_work_seen_first_when_it_is_due_fires(at: Any) -> None:
    with at(START):
        case = Case.objects.create()
        case.fire("shelve", actor=TESTER)
    with at(START + timedelta(days=2, seconds=-1)):
        call_command("lifecycle_work", once=True)
        assert Case.objects.get(pk=case.pk).state == "shelved"
    with at(START + timedelta(days=2, seconds=1)):
        work()
        work()
        entry = Case.objects.get(pk=case.pk).log.last()
        assert entry is not None
        assert (entry.event, entry.actor_kind, entry.actor_id) == ("close", "system", "timer")
        assert len(CLOSED) == 1


def test_leaving_cancels_and_coming_back_begins_anew(at: Any) -> None:
    with at(START):
        case = Case.objects.create()
        case.fire("shelve", actor=TESTER)
        work()
        assert Timer.objects.filter(event="close", object_pk=str(case.pk)).exists()
    with at(START + timedelta(days=1)):
        case.fire("resume", actor=TESTER)
        case.fire("shelve", actor=TESTER)
    with at(START + timedelta(days=2, hours=1)):
        work()
        assert Case.objects.get(pk=case.pk).state == "shelved"
    with at(START + timedelta(days=3, seconds=1)):
        work()
        assert Case.objects.get(pk=case.pk).state == "closed"


def test_a_record_that_is_gone_has_no_timer(at: Any) -> None:
    with at(START):
        case = Case.objects.create()
        case.fire("shelve", actor=TESTER)
        work()
        with acting_as(TESTER):
            case.delete()
    with at(START + timedelta(days=3)):
        work()
        assert not Timer.objects.exists()
        assert CLOSED == []


def test_a_save_moves_the_timer_both_ways(at: Any) -> None:
    with at(START):
        bill = Bill.objects.create(due_date=date(2026, 12, 10))
        bill.fire("send", actor=TESTER)
        work()
        bill.due_date = date(2026, 12, 2)
        bill.save()
    with at(datetime(2026, 12, 2, 0, 0, 1, tzinfo=UTC)):
        work()
        assert Bill.objects.get(pk=bill.pk).state == "overdue"

    with at(START):
        bill = Bill.objects.create(due_date=date(2026, 12, 2))
        bill.fire("send", actor=TESTER)
        work()
        fresh = Bill.objects.get(pk=bill.pk)
        fresh.due_date = date(2026, 12, 10)
        fresh.save(update_fields=["due_date"])
    with at(datetime(2026, 12, 3, tzinfo=UTC)):
        work()
        assert Bill.objects.get(pk=bill.pk).state == "sent"
    with at(datetime(2026, 12, 10, 0, 0, 1, tzinfo=UTC)):
        work()
        assert Bill.objects.get(pk=bill.pk).state == "overdue"


def test_an_update_to_later_is_seen_when_the_timer_is_due(at: Any) -> None:
    with at(START):
        bill = Bill.objects.create(due_date=date(2026, 12, 2))
        bill.fire("send", actor=TESTER)
        work()
        Bill.objects.filter(pk=bill.pk).update(due_date=date(2026, 12, 9))
    with at(datetime(2026, 12, 2, 1, tzinfo=UTC)):
        work()
        assert Bill.objects.get(pk=bill.pk).state == "sent"
    with at(datetime(2026, 12, 9, 1, tzinfo=UTC)):
        work()
        assert Bill.objects.get(pk=bill.pk).state == "overdue"


def test_a_date_means_midnight_in_the_current_zone(at: Any, settings: Any) -> None:
    settings.TIME_ZONE = "Asia/Singapore"
    with at(START):
        bill = Bill.objects.create(due_date=date(2026, 12, 2))
        bill.fire("send", actor=TESTER)
        work()
    with at(datetime(2026, 12, 1, 15, 59, 59, tzinfo=UTC)):
        work()
        assert Bill.objects.get(pk=bill.pk).state == "sent"
    with at(datetime(2026, 12, 1, 16, 0, 1, tzinfo=UTC)):
        work()
        assert Bill.objects.get(pk=bill.pk).state == "overdue"


def test_a_refused_guard_tries_again_hourly_with_a_refusal_each_time(at: Any) -> None:
    with at(START):
        case = Case.objects.create(blocked=True)
        work()
    later = START + timedelta(days=30, seconds=1)
    for hour, refusals in [(0, 1), (0.5, 1), (1.01, 2), (1.5, 2), (2.05, 3)]:
        with at(later + timedelta(hours=hour)):
            work()
            assert RefusedAttempt.objects.filter(event="chase").count() == refusals, hour
    with at(later + timedelta(hours=2.5)):
        fresh = Case.objects.get(pk=case.pk)
        fresh.blocked = False
        fresh.save()
    with at(later + timedelta(hours=3.1)):
        work()
        assert Case.objects.get(pk=case.pk).state == "resolved"


def test_an_event_back_to_its_own_state_fires_once_per_time(at: Any) -> None:
    with at(START):
        reminder = Reminder.objects.create(remind_at=START + timedelta(hours=1))
        work()
    with at(START + timedelta(hours=1, seconds=1)):
        work()
        work()
    with at(START + timedelta(hours=3)):
        work()
    assert list(reminder.log.values_list("event", flat=True)).count("ring") == 1


def test_business_hours_defer_a_timer_and_keep_people_out(at: Any) -> None:
    friday = datetime(2026, 12, 4, 8, 30, tzinfo=UTC)  # 16:30 in Singapore
    with at(friday):
        question = Question.objects.create()
        other = Question.objects.create()
        work()
    with at(friday + timedelta(hours=3)):
        work()
        assert Question.objects.get(pk=question.pk).state == "asked"
        assert not RefusedAttempt.objects.exists()
        assert not question.can_fire("answer")
        with pytest.raises(GuardFailed) as refused:
            other.fire("answer", actor=TESTER)
        assert refused.value.code == "guard_failed"
    with at(datetime(2026, 12, 7, 0, 59, tzinfo=UTC)):
        work()
        assert Question.objects.get(pk=question.pk).state == "asked"
    with at(datetime(2026, 12, 7, 1, 0, 1, tzinfo=UTC)):
        work()
        assert Question.objects.get(pk=question.pk).state == "answered"
        assert not RefusedAttempt.objects.exclude(surface="code").exists()


def test_the_clock_of_business_hours_alone_can_be_set(settings: Any) -> None:
    """Only the hours' clock stands: a timer that is due really waits when it says closed."""
    settings.FSM_LIFECYCLE = {"DISPATCH": "command"}
    sunday = datetime(2026, 12, 6, 4, tzinfo=UTC)
    opens = datetime(2026, 12, 7, 1, tzinfo=UTC)
    wednesday = datetime(2026, 12, 2, 3, tzinfo=UTC)  # 11:00 in Singapore
    with travelled(wednesday):
        question = Question.objects.create()
        work()
    due = wednesday + timedelta(hours=2)
    HOURS.clock = lambda: sunday
    try:
        assert not question.can_fire("answer")
        with travelled(due):  # open by any other clock
            work()
            timer = Timer.objects.get(object_pk=str(question.pk))
        assert Question.objects.get(pk=question.pk).state == "asked"
        assert not RefusedAttempt.objects.exists()
        assert timer.due_at == due + (opens - sunday)
        HOURS.clock = lambda: datetime(2026, 12, 7, 4, tzinfo=UTC)
        assert question.can_fire("answer")
        with travelled(timer.due_at):
            work()
        assert Question.objects.get(pk=question.pk).state == "answered"
    finally:
        HOURS.clock = None


def test_edges_of_business_hours() -> None:
    hours = BusinessHours(
        "Asia/Singapore", days="mon-fri", start="09:00", end="17:00", holidays=[date(2026, 12, 25)]
    )
    hours.clock = lambda: datetime(2026, 12, 7, 1, tzinfo=UTC)
    assert hours(None) is True
    hours.clock = lambda: datetime(2026, 12, 7, 0, 59, 59, tzinfo=UTC)
    assert hours(None) is not True
    hours.clock = lambda: datetime(2026, 12, 7, 9, tzinfo=UTC)  # 17:00 is closed
    assert hours(None) is not True
    hours.clock = lambda: datetime(2026, 12, 25, 4, tzinfo=UTC)
    assert hours(None) is not True


def test_many_timers_each_fire_once(settings: Any) -> None:
    settings.FSM_LIFECYCLE = {"DISPATCH": "command"}
    with travelled(START):
        cases = Case.objects.bulk_create([Case() for _ in range(60)])
        Case.objects.all().fire("shelve", actor=TESTER)
    CLOSED.clear()
    with travelled(START + timedelta(days=3)):
        work()
        work()
    assert len(CLOSED) == len({pk for pk, _ in CLOSED}) == len(cases)
    assert Timer.objects.count() == 0


@pytest.mark.parametrize("zone", ["Asia/Singapore", "America/New_York"])
@pytest.mark.parametrize("day", [date.min, date.max])
def test_dates_at_the_ends_of_time_stop_nothing(settings: Any, zone: str, day: date) -> None:
    settings.FSM_LIFECYCLE = {"DISPATCH": "command"}
    settings.TIME_ZONE = zone
    odd, other, moved = (Bill.objects.create(due_date=d) for d in (day, date(2026, 12, 1), date(2026, 12, 1)))
    for bill in (odd, other, moved):
        bill.fire("send", actor=TESTER)
    with travelled(START):
        work()
        moved.due_date = day
        moved.save()
    with travelled(START + timedelta(days=3)):
        work()
        assert Bill.objects.get(pk=other.pk).state == "overdue"
