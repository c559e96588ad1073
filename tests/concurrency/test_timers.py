"""Timers against people and against each other, and their workers killed: none fires twice, late or for nothing."""

from __future__ import annotations

import random
import signal
import time
from datetime import date, timedelta
from typing import Any

import pytest
from django.utils import timezone

from fsm_lifecycle import System
from fsm_lifecycle.dispatch import items
from fsm_lifecycle.dispatch.working import drain
from fsm_lifecycle.models import Timer, TransitionLog, WorkItem
from fsm_lifecycle.timers import keeping
from fsm_lifecycle.timers.firing import QUEUE
from tests.concurrency import timing
from tests.concurrency.racers import CONTEXT, PATIENCE, Racers
from tests.concurrency.wholeness import faults
from tests.testapp.clocks import Bill, Case

PREPARE = System("prepare")


def cases(count: int, event: str = "resolve") -> list[Any]:
    """The keys of cases whose time is over, each with its timer."""
    keys = [case.pk for case in Case.objects.bulk_create(Case() for _ in range(count))]
    rows = Case.objects.filter(pk__in=keys)
    assert rows.fire(event, actor=PREPARE).failed == 0
    rows.update(state_since=timezone.now() - timedelta(days=6))
    keeping.reconcile("default")
    return keys


def fired(*events: str) -> int:
    return TransitionLog.objects.filter(event__in=events, actor_id="timer").count()


def assert_each_fired_once(keys: list[Any], *events: str) -> None:
    assert fired(*events) == len(keys)
    rows = Case.objects.filter(pk__in=keys, state="closed", lifecycle_sequence=3)
    assert rows.count() == len(keys)
    assert not Timer.objects.exists()
    assert faults() == []


@pytest.mark.parametrize("batch", [1, 20])
def test_eight_workers_fire_four_hundred_timers_once_each(racers: Racers, batch: int) -> None:
    keys = cases(400 if batch > 1 else 100)
    taken = racers.race(timing.work_off, batch)
    assert sum(taken) == len(keys)
    assert_each_fired_once(keys, "expire")


def test_a_timer_or_a_person_comes_first_never_both(racers: Racers) -> None:
    keys = cases(60)
    got = [key for result in racers.race(timing.people_and_workers, keys) for key in result]
    assert len(got) == len(set(got))
    drain(QUEUE, "default")
    assert set(Case.objects.filter(state="open").values_list("pk", flat=True)) == set(got)
    assert Case.objects.filter(lifecycle_sequence=3).count() == len(keys)
    assert fired("expire") == len(keys) - len(got)
    assert not Timer.objects.filter(event="expire").exists()
    assert faults() == []


def test_what_a_save_has_put_off_does_not_fire(racers: Racers) -> None:
    bills = Bill.objects.bulk_create([Bill(due_date=date(2020, 1, 1)) for _ in range(40)])
    keys = [bill.pk for bill in bills]
    assert Bill.objects.all().fire("send", actor=PREPARE).failed == 0
    keeping.reconcile("default")
    in_time = {key for result in racers.race(timing.savers_and_workers, keys) for key in result}
    drain(QUEUE, "default")
    assert set(Bill.objects.filter(state="sent").values_list("pk", flat=True)) == in_time
    assert Timer.objects.count() == len(in_time)
    assert fired("lapse") == len(keys) - len(in_time)
    assert faults() == []


def test_the_log_alone_keeps_every_timer_right(racers: Racers) -> None:
    keeping.follow("default")
    keys = [case.pk for case in Case.objects.bulk_create(Case() for _ in range(10))]
    bills = [bill.pk for bill in Bill.objects.bulk_create([Bill() for _ in range(10)])]
    assert Bill.objects.all().fire("send", actor=PREPARE).failed == 0
    wrong = racers.race(timing.everything, keys, bills, 25)
    assert [text for result in wrong for text in result] == []
    while keeping.follow("default"):
        pass
    WorkItem.objects.update(due_at=timezone.now())
    drain(items.QUEUE, "default")
    assert not WorkItem.objects.filter(status=WorkItem.QUEUED).exists()
    assert keeping.reconcile("default") == 0
    assert (
        Timer.objects.filter(model_label="testapp.case").count()
        == Case.objects.exclude(state="closed").count()
    )
    assert faults() == []


@pytest.mark.slow
@pytest.mark.parametrize("by_itself", [False, True], ids=["at any moment", "at a statement"])
def test_killed_workers_leave_each_timer_to_fire_once(database: str, by_itself: bool) -> None:
    keys = [*cases(60), *cases(30, "shelve")]
    chance = random.Random()
    for _ in range(8):
        children = []
        for _ in range(3):
            ours, theirs = CONTEXT.Pipe(duplex=False)
            points = chance.randint(1, 150) if by_itself else None
            process = CONTEXT.Process(
                target=timing.work_until_killed, args=(database, theirs, points), daemon=True
            )
            process.start()
            theirs.close()
            children.append((process, ours))
        for process, ours in children:
            assert ours.recv() == "begins"
            time.sleep(chance.uniform(0, 0.06) if not by_itself else 0.1)
            process.kill()
            process.join(PATIENCE)
            assert process.exitcode == -signal.SIGKILL
            ours.close()
    end = time.monotonic() + PATIENCE
    while Timer.objects.exists() and time.monotonic() < end:  # what a killed one held comes back
        drain(QUEUE, "default")
        time.sleep(0.05)
    assert_each_fired_once(keys, "expire", "close")
