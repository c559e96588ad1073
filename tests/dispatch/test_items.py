"""Durable work is tried until it succeeds, given up in the end, and never run by two at once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import transaction
from django.utils import timezone

from fsm_lifecycle.dispatch import enqueue, items, leases, work_off
from fsm_lifecycle.dispatch.kinds import DELAYS, GiveUp
from fsm_lifecycle.dispatch.work import LeaseLost, Work
from fsm_lifecycle.models import WorkItem

pytestmark = pytest.mark.usefixtures("transactional_db")

Doing = Callable[..., Any]


class Broken(Exception):
    """With a secret in its text, which no row may hold."""


def test_work_is_done_once_and_its_result_is_kept(doing: Doing) -> None:
    seen: list[Any] = []

    def run(work: Work) -> dict[str, int]:
        seen.append((work.payload, work.using, work.stable_id))
        return {"answer": 42}

    doing(run)
    item = enqueue("test", {"a": 1})
    assert item is not None
    work_off()
    work_off()
    assert seen == [({"a": 1}, "default", f"work-{item.pk}")]
    item.refresh_from_db()
    assert (item.status, item.tries, item.result) == ("done", 1, {"answer": 42})
    assert item.finished_at is not None


def test_work_of_a_transaction_that_rolls_back_is_never_done(doing: Doing) -> None:
    seen: list[Work] = []
    doing(seen.append)
    with transaction.atomic():
        enqueue("test", {})
        transaction.set_rollback(True)
    work_off()
    assert seen == []


def test_work_with_a_key_is_there_once(doing: Doing) -> None:
    seen: list[Work] = []
    doing(seen.append)
    with transaction.atomic():
        assert enqueue("test", {}, key="one") is not None
        assert enqueue("test", {}, key="one") is None
        assert WorkItem.objects.count() == 1  # the transaction can go on
    work_off()
    assert len(seen) == 1
    assert seen[0].stable_id == "one"


def test_work_waits_for_its_time(doing: Doing) -> None:
    seen: list[Work] = []
    doing(seen.append)
    with time_machine.travel("2026-03-01T12:00:00Z", tick=False) as clock:
        enqueue("test", {}, due_at=timezone.now() + timedelta(minutes=5))
        work_off()
        assert seen == []
        clock.shift(301)
        work_off()
        assert len(seen) == 1


def test_what_fails_is_tried_again_after_each_pause_and_then_dead(doing: Doing) -> None:
    given_up: list[Work] = []

    def fail(work: Work) -> None:
        raise Broken("the secret of the work")

    doing(fail, on_dead=given_up.append)
    item = enqueue("test", {})
    assert item is not None
    with time_machine.travel(timezone.now() + timedelta(seconds=1), tick=False) as clock:
        for tries, pause in enumerate(DELAYS, 1):
            work_off(alone=True)
            item.refresh_from_db()
            assert (item.status, item.tries) == ("queued", tries)
            wait = item.due_at - timezone.now()
            assert 0.8 * pause <= wait <= 1.2 * pause
            clock.shift(wait - timedelta(seconds=1))
            work_off()
            item.refresh_from_db()
            assert item.tries == tries  # not a second too early
            clock.shift(2)
        work_off()
    item.refresh_from_db()
    assert (item.status, item.tries) == ("dead", len(DELAYS) + 1)
    assert item.error_class == f"{__name__}.Broken"
    assert "secret" not in repr(item.__dict__)
    assert [work.item.pk for work in given_up] == [item.pk]


def test_what_no_try_can_help_is_dead_at_once(doing: Doing) -> None:
    def give_up(work: Work) -> None:
        raise GiveUp("The record was deleted.")

    doing(give_up)
    item = enqueue("test", {})
    assert item is not None
    work_off()
    item.refresh_from_db()
    assert (item.status, item.tries, item.result) == ("dead", 1, {"why": "The record was deleted."})


def test_work_that_kills_its_worker_each_time_is_given_up(doing: Doing) -> None:
    seen: list[Work] = []
    doing(seen.append, delays=(timedelta(0),))
    item = enqueue("test", {})
    assert item is not None
    for _ in range(2):
        (held,) = leases.claim(items.ready("default"), limit=1)
        leases._mine(held).update(tries=held.tries + 1)  # as run() does, before the worker is killed
        WorkItem.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    work_off()
    item.refresh_from_db()
    assert seen == []
    assert (item.status, item.error_class) == ("dead", "WorkerLost")


def test_dead_work_is_begun_anew_or_dropped(doing: Doing) -> None:
    def give_up(work: Work) -> None:
        raise GiveUp("No.")

    doing(give_up)
    first, second = enqueue("test", {}), enqueue("test", {})
    assert first is not None
    assert second is not None
    work_off()
    doing(lambda work: None)
    assert {one.pk for one in items.dead("default")} == {first.pk, second.pk}
    first, second = WorkItem.objects.get(pk=first.pk), WorkItem.objects.get(pk=second.pk)
    assert items.retry(first)
    assert not items.retry(first)
    assert items.drop(second)
    assert not items.drop(second)
    assert not items.drop(first)
    work_off()
    first.refresh_from_db()
    assert (first.status, first.tries) == ("done", 1)
    assert WorkItem.objects.count() == 1


def test_work_of_a_kind_that_this_code_does_not_know_waits_for_code_that_does(doing: Doing) -> None:
    item = enqueue("of another version", {})
    assert item is not None
    work_off()
    item.refresh_from_db()
    assert (item.status, item.tries) == ("queued", 0)


def test_progress_is_told_and_work_that_was_taken_away_stops(doing: Doing) -> None:
    seen: list[Any] = []

    def run(work: Work) -> None:
        work.report(3, 10)
        seen.append(WorkItem.objects.values_list("progress", "total").get(pk=work.item.pk))
        WorkItem.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
        leases.claim(items.ready("default"), limit=1)  # another worker
        with pytest.raises(LeaseLost):
            work.check()
        work.report(4)

    doing(run)
    item = enqueue("test", {})
    assert item is not None
    work_off(alone=True)
    assert seen == [(3, 10)]
    item.refresh_from_db()
    assert (item.status, item.progress) == ("queued", 3)


def test_one_that_fails_stops_no_other(doing: Doing) -> None:
    done: list[int] = []

    def run(work: Work) -> None:
        if work.payload["n"] % 2:
            raise Broken
        done.append(work.payload["n"])

    doing(run, delays=(timedelta(hours=1),))  # so that none comes up again while the others are done
    for n in range(6):
        enqueue("test", {"n": n})
    work_off()
    assert sorted(done) == [0, 2, 4]
    assert WorkItem.objects.filter(status="queued", tries=1).count() == 3
