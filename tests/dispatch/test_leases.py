"""A due row is held by one worker at a time, and an outcome is written only under the lease it was made under."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection, connections
from django.utils import timezone

from fsm_lifecycle.dispatch import leases
from fsm_lifecycle.models import WorkItem
from tests.dispatch.workers import until as wait_until

pytestmark = pytest.mark.usefixtures("transactional_db")


def item(**values: Any) -> WorkItem:
    now = timezone.now()
    return WorkItem.objects.create(**{"kind": "x", "due_at": now, "created_at": now, **values})


def claim(limit: int = 10) -> list[WorkItem]:
    return leases.claim(WorkItem.objects.all(), limit=limit)


def test_what_is_due_is_taken_the_longest_due_first() -> None:
    now = timezone.now()
    late = item(due_at=now - timedelta(seconds=1))
    latest = item(due_at=now - timedelta(seconds=9))
    item(due_at=now + timedelta(seconds=9))
    assert claim() == [latest, late]


def test_what_is_held_is_not_taken_again() -> None:
    item()
    assert len(claim()) == 1
    assert claim() == []


def test_no_more_is_taken_than_was_asked_for() -> None:
    for _ in range(5):
        item()
    assert len(claim(2)) == 2
    assert len(claim(9)) == 3


def test_a_claimed_row_says_under_which_number() -> None:
    item()
    (row,) = claim()
    assert row.fence == 1
    assert row.holder
    row.refresh_from_db()
    assert row.fence == 1


def test_a_lease_that_is_over_is_taken_by_another(settings: Any) -> None:
    settings.FSM_LIFECYCLE = {"LEASE_SECONDS": 30}
    with time_machine.travel("2026-03-01T12:00:00Z", tick=False) as clock:
        item()
        (first,) = claim()
        clock.shift(29)
        assert claim() == []
        clock.shift(2)
        (second,) = claim()
        assert second == first
        assert second.fence == first.fence + 1
        assert not leases.settle(first, status="done")
        first.refresh_from_db()
        assert first.status == "queued"
        assert leases.settle(second, status="done")
        second.refresh_from_db()
        assert (second.status, second.lease_until, second.holder) == ("done", None, "")


def test_a_renewed_lease_lasts_longer(settings: Any) -> None:
    settings.FSM_LIFECYCLE = {"LEASE_SECONDS": 30}
    with time_machine.travel("2026-03-01T12:00:00Z", tick=False) as clock:
        item()
        rows = claim()
        clock.shift(29)
        assert leases.renew(rows) == 1
        clock.shift(29)
        assert claim() == []
        assert leases.is_held(rows[0])
        clock.shift(2)
        assert not leases.is_held(rows[0])


def test_a_lost_lease_is_not_renewed() -> None:
    item()
    (first,) = claim()
    WorkItem.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert len(claim()) == 1
    assert leases.renew([first]) == 0


def test_a_heart_beats_while_the_work_lasts(settings: Any) -> None:
    settings.FSM_LIFECYCLE = {"LEASE_SECONDS": 6}
    item()
    (row,) = claim()
    renewed = WorkItem.objects.filter(pk=row.pk)
    with leases.holding([row]):
        for _ in range(2):
            until = renewed.get().lease_until
            wait_until(renewed.filter(lease_until__gt=until).exists)
        assert claim() == []
        assert leases.is_held(row)


def test_a_discarded_row_is_gone_but_not_under_another_lease() -> None:
    item()
    (first,) = claim()
    WorkItem.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    (second,) = claim()
    assert not leases.discard(first)
    assert leases.discard(second)
    assert not WorkItem.objects.exists()


def test_one_row_is_taken_by_name_when_it_is_due() -> None:
    now, later = item(), item(due_at=timezone.now() + timedelta(hours=1))
    assert leases.claim_one(WorkItem.objects.all(), later.pk) is None
    assert leases.claim_one(WorkItem.objects.all(), now.pk) == now
    assert leases.claim_one(WorkItem.objects.all(), now.pk) is None


def test_eight_threads_take_each_row_once() -> None:
    keys = {item().pk for _ in range(200)}
    taken: list[int] = []
    failures: list[BaseException] = []
    barrier = threading.Barrier(8)

    def take() -> None:
        try:
            barrier.wait(30)
            misses = 0
            while misses < 20:
                rows = claim(7)
                taken.extend(row.pk for row in rows)
                misses = 0 if rows else misses + 1
        except BaseException as error:
            failures.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sorted(taken) == sorted(keys)


def test_an_idle_look_opens_no_transaction_that_writes(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1, connection=connection):
        assert claim() == []
