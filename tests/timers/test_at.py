"""``at=``: an event fires by itself at the time in a field of the record."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine
from django.db import transaction
from django.utils import timezone

from fsm_lifecycle import timers as api
from fsm_lifecycle.models import Timer
from tests.testapp.clocks import Bill, Loan, LongLoan, Reminder
from tests.timers.conftest import START, TESTER
from tests.timers.working import look_again, set_timers, timers, work

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]
Clock = time_machine.Traveller


def sent(due_date: date | None) -> Bill:
    bill = Bill.objects.create(due_date=due_date)
    bill.fire("send", actor=TESTER)
    return bill


def state(bill: Bill) -> str:
    return str(Bill.objects.get(pk=bill.pk).state)


def test_a_date_means_midnight_in_the_current_time_zone(clock: Clock) -> None:
    with timezone.override("Europe/Rome"):
        bill = sent(date(2026, 12, 5))
        work()
        assert timers() == [(str(bill.pk), "lapse", "12-04 23:00")]
        clock.move_to(datetime(2026, 12, 4, 22, 59, 59, tzinfo=UTC))
        work()
        assert state(bill) == "sent"
        clock.move_to(datetime(2026, 12, 4, 23, tzinfo=UTC))
        work()
        assert state(bill) == "overdue"


def test_midnight_is_that_of_the_season() -> None:
    with timezone.override("Europe/Rome"):
        bill = sent(date(2027, 3, 28))  # the clock goes forward at 02:00
        other = sent(date(2027, 3, 29))
        work()
        assert timers() == [(str(bill.pk), "lapse", "03-27 23:00"), (str(other.pk), "lapse", "03-28 22:00")]


def test_a_datetime_is_meant_to_the_second(clock: Clock) -> None:
    reminder = Reminder.objects.create(remind_at=START + timedelta(hours=3, seconds=7))
    work()
    clock.shift(timedelta(hours=3, seconds=6))
    work()
    assert reminder.log.count() == 1
    clock.shift(timedelta(seconds=1))
    work()
    assert [entry.event for entry in reminder.log] == [None, "ring"]


def test_no_time_no_timer() -> None:
    sent(None)
    work()
    assert timers() == []


def test_a_time_that_is_past_when_the_state_is_entered_fires_at_once() -> None:
    bill = sent(date(2026, 11, 1))
    work()
    assert state(bill) == "overdue"


def test_a_save_moves_it_in_the_same_transaction(clock: Clock) -> None:
    bill = sent(date(2026, 12, 5))
    work()
    bill.due_date = date(2026, 12, 9)
    bill.save()
    assert timers() == [(str(bill.pk), "lapse", "12-09 00:00")]
    bill.due_date = date(2026, 12, 1)
    bill.save(update_fields=["due_date"])
    assert timers() == [(str(bill.pk), "lapse", "12-01 00:00")]
    bill.due_date = None
    bill.save()
    assert timers() == []
    assert not api.waiting().exists()
    bill.due_date = date(2026, 12, 1)
    bill.save()
    assert timers() == [(str(bill.pk), "lapse", "12-01 00:00")]
    assert api.waiting().count() == 1
    bill.due_date = None
    bill.save()
    work()
    assert Timer.objects.count() == 0


def test_a_save_that_gives_the_first_time_sets_it() -> None:
    bill = sent(None)
    work()
    bill.due_date = date(2026, 12, 5)
    bill.save()
    look_again()
    assert timers() == [(str(bill.pk), "lapse", "12-05 00:00")]


def test_a_save_that_is_rolled_back_moves_nothing() -> None:
    bill = sent(date(2026, 12, 5))
    work()
    with transaction.atomic():
        bill.due_date = date(2026, 12, 9)
        bill.save()
        transaction.set_rollback(True)
    assert timers() == [(str(bill.pk), "lapse", "12-05 00:00")]


def test_a_stale_copy_that_is_saved_sets_no_timer_for_a_state_already_left() -> None:
    bill = sent(date(2026, 12, 5))
    stale = Bill.objects.get(pk=bill.pk)
    bill.fire("pay", actor=TESTER)
    work()
    stale.due_date = date(2026, 12, 9)
    stale.save()
    assert timers() == []


def test_a_save_of_something_else_costs_no_statement(django_assert_num_queries: object) -> None:
    bill = sent(date(2026, 12, 5))
    bill.note = "called"
    with django_assert_num_queries(1):  # type: ignore[operator]
        bill.save(update_fields=["note"])


def test_an_update_is_seen_when_it_is_due(clock: Clock) -> None:
    bill = sent(date(2026, 12, 5))
    set_timers()
    Bill.objects.filter(pk=bill.pk).update(due_date=date(2026, 12, 9))
    clock.move_to(datetime(2026, 12, 5, 1, tzinfo=UTC))
    from fsm_lifecycle.dispatch.working import drain
    from fsm_lifecycle.timers.firing import QUEUE

    drain(QUEUE, "default")
    assert state(bill) == "sent"
    assert timers() == [(str(bill.pk), "lapse", "12-09 00:00")]


def test_an_update_to_an_earlier_time_is_seen_by_the_periodic_look() -> None:
    bill = sent(date(2026, 12, 5))
    work()
    Bill.objects.filter(pk=bill.pk).update(due_date=date(2026, 12, 2))
    work()
    assert timers() == [(str(bill.pk), "lapse", "12-02 00:00")]


def test_records_made_in_bulk_have_theirs() -> None:
    bills = Bill.objects.bulk_create([Bill(due_date=date(2026, 12, day)) for day in (3, 4)])
    Bill.objects.all().fire("send", actor=TESTER)
    work()
    assert timers() == [
        (str(b.pk), "lapse", f"12-0{day} 00:00") for b, day in zip(bills, (3, 4), strict=True)
    ]


def test_it_fires_once_for_each_time_when_the_record_stays(clock: Clock) -> None:
    reminder = Reminder.objects.create(remind_at=START + timedelta(hours=1))
    work()
    clock.shift(timedelta(hours=2))
    work()
    clock.shift(timedelta(hours=2))
    work()
    assert [entry.event for entry in reminder.log] == [None, "ring"]
    reminder.refresh_from_db()
    reminder.remind_at = START + timedelta(hours=6)
    reminder.save()
    clock.shift(timedelta(hours=2))
    work()
    assert [entry.event for entry in reminder.log] == [None, "ring", "ring"]


def test_a_child_with_its_own_table_follows_its_own_times(clock: Clock) -> None:
    loan = Loan.objects.create()
    long = LongLoan.objects.create(until=date(2026, 12, 31))
    work()
    assert timers() == [(str(loan.pk), "miss", "12-14 10:00"), (str(long.pk), "miss", "12-31 00:00")]
    long.until = date(2026, 12, 20)
    long.save()
    assert timers()[1] == (str(long.pk), "miss", "12-20 00:00")
    clock.move_to(datetime(2026, 12, 20, tzinfo=UTC))
    work()
    assert set(Loan.objects.values_list("state", flat=True)) == {"late"}
    assert Timer.objects.count() == 0
