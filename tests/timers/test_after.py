"""``after=``: an event fires by itself when a record has been in a source state that long."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest
import time_machine

from fsm_lifecycle.models import RefusedAttempt, Timer
from tests.testapp.clocks import CLOSED, Case, Question, Reminder
from tests.timers.conftest import START, TESTER
from tests.timers.working import set_timers, timers, work

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]
Clock = time_machine.Traveller


def resolved() -> Case:
    case = Case.objects.create()
    case.fire("resolve", actor=TESTER)
    return case


def states(*cases: Case) -> list[str]:
    return [Case.objects.get(pk=case.pk).state for case in cases]


def test_it_fires_when_the_time_is_over_and_not_before(clock: Clock) -> None:
    case = resolved()
    work()
    clock.move_to(START + timedelta(days=5, seconds=-1))
    work()
    assert states(case) == ["resolved"]
    clock.move_to(START + timedelta(days=5))
    work()
    assert states(case) == ["closed"]
    entry = case.log.last()
    assert entry is not None
    assert (entry.event, entry.actor_kind, entry.actor_id) == ("expire", "system", "timer")
    assert timers() == []


def test_leaving_the_state_cancels_it(clock: Clock) -> None:
    case = resolved()
    work()
    case.fire("resume", actor=TESTER)
    work()
    assert [event for _, event, _ in timers()] == ["chase"]
    clock.shift(timedelta(days=6))
    work()
    assert states(case) == ["open"]


def test_a_timer_whose_cancelling_was_not_followed_yet_does_not_fire(clock: Clock) -> None:
    case = resolved()
    set_timers()
    clock.shift(timedelta(days=6))
    case.fire("resume", actor=TESTER)
    from fsm_lifecycle.dispatch.working import drain
    from fsm_lifecycle.timers.firing import QUEUE

    assert drain(QUEUE, "default") == 1
    assert states(case) == ["open"]
    assert timers() == []


def test_there_and_back_again_begins_anew(clock: Clock) -> None:
    case = resolved()
    work()
    clock.shift(timedelta(days=3))
    case.fire("resume", actor=TESTER)
    case.fire("resolve", actor=TESTER)
    clock.shift(timedelta(days=3))
    work()
    assert states(case) == ["resolved"]
    assert timers() == [(str(case.pk), "expire", "12-08 10:00")]
    clock.shift(timedelta(days=2))
    work()
    assert states(case) == ["closed"]


def test_an_event_back_to_its_own_state_does_not_restart_it(clock: Clock) -> None:
    case = resolved()
    work()
    clock.shift(timedelta(days=4))
    case.fire("comment", actor=TESTER)
    work()
    assert timers() == [(str(case.pk), "expire", "12-05 10:00")]
    clock.shift(timedelta(days=1))
    work()
    assert states(case) == ["closed"]


def test_a_timer_that_leads_back_to_its_state_fires_once_for_each_stay(clock: Clock) -> None:
    reminder = Reminder.objects.create()
    work()
    for _ in range(3):
        clock.shift(timedelta(days=2))
        work()
    assert [entry.event for entry in reminder.log] == [None, "nag"]
    assert Timer.objects.get().fired
    reminder.refresh_from_db()
    reminder.fire("finish", actor=TESTER)
    work()
    assert timers() == []


def test_effects_run_as_in_any_firing(clock: Clock) -> None:
    case = Case.objects.create()
    case.fire("shelve", actor=TESTER)
    work()
    clock.shift(timedelta(days=2))
    work()
    assert states(case) == ["closed"]
    assert [(case.pk, "timer")] == CLOSED


def test_an_effect_that_fails_leaves_record_and_timer_for_the_next_hour(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    case = Case.objects.create(blocked=True)
    case.fire("shelve", actor=TESTER)
    work()
    clock.shift(timedelta(days=2))
    with caplog.at_level(logging.CRITICAL, logger="fsm_lifecycle"):
        work()
    assert states(case) == ["shelved"]
    assert timers() == [(str(case.pk), "close", "12-02 11:00")]
    Case.objects.update(blocked=False)
    clock.shift(timedelta(hours=1))
    work()
    assert states(case) == ["closed"]


def test_a_refused_guard_is_on_record_and_tried_again_each_hour(clock: Clock) -> None:
    case = Case.objects.create(blocked=True)
    work()
    clock.shift(timedelta(days=30))
    work()
    clock.shift(timedelta(minutes=59))
    work()
    assert RefusedAttempt.objects.count() == 1
    clock.shift(timedelta(minutes=1))
    work()
    refusals = list(RefusedAttempt.objects.order_by("pk"))
    assert [(r.surface, r.actor_kind, r.actor_id, r.code, r.event) for r in refusals] == [
        ("timer", "system", "timer", "guard_failed", "chase")
    ] * 2
    assert Timer.objects.get().refused_at == START + timedelta(days=30, hours=1)
    Case.objects.update(blocked=False)
    clock.shift(timedelta(hours=1))
    work()
    assert states(case) == ["resolved"]


def test_a_record_that_is_deleted_takes_its_timers_along(clock: Clock) -> None:
    case = resolved()
    work()
    assert Timer.objects.count() == 1
    case.delete()
    set_timers()
    assert Timer.objects.count() == 0
    clock.shift(timedelta(days=6))
    work()


def test_business_hours_put_it_off_to_the_next_open_minute(clock: Clock) -> None:
    clock.move_to(START.replace(month=12, day=24, hour=8))  # 16:00 in Singapore, and the 25th is a holiday
    question = Question.objects.create()
    work()
    assert timers() == [(str(question.pk), "answer", "12-28 01:00")]  # Monday, 09:00 there
    clock.move_to(START.replace(month=12, day=28, hour=0, minute=59))
    work()
    assert not RefusedAttempt.objects.exists()
    clock.shift(timedelta(minutes=1))
    work()
    assert Question.objects.get().state == "answered"


def test_a_worker_that_comes_after_closing_time_waits_for_the_morning(clock: Clock) -> None:
    clock.move_to(START.replace(month=12, day=1, hour=3))  # Tuesday, 11:00 there: due at 13:00
    question = Question.objects.create()
    work()
    clock.shift(timedelta(hours=10))  # nobody worked until 21:00
    work()
    assert Question.objects.get().state == "asked"
    assert timers() == [(str(question.pk), "answer", "12-02 01:00")]
    assert not RefusedAttempt.objects.exists()


def test_many_fire_together_each_once(clock: Clock) -> None:
    Case.objects.bulk_create([Case() for _ in range(120)])
    Case.objects.all().fire("resolve", actor=TESTER)
    work()
    assert Timer.objects.count() == 120
    clock.shift(timedelta(days=5))
    work()
    assert Case.objects.filter(state="closed", lifecycle_sequence=3).count() == 120
    assert Timer.objects.count() == 0


def test_one_refusal_holds_up_no_other(clock: Clock) -> None:
    Case.objects.bulk_create([Case(blocked=number == 1) for number in range(3)])
    work()
    clock.shift(timedelta(days=30))
    work()
    assert sorted(Case.objects.values_list("state", flat=True)) == ["open", "resolved", "resolved"]
