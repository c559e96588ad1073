"""Rows beside the log go when their days are over."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from fsm_lifecycle.engine import expiry
from fsm_lifecycle.engine.expiry import expired, remove_expired
from fsm_lifecycle.models import RefusedAttempt, WorkItem

pytestmark = pytest.mark.django_db


def refused(days: float) -> RefusedAttempt:
    moment = timezone.now() - timedelta(days=days)
    return RefusedAttempt.objects.create(model_label="a.b", object_pk="1", event="x", recorded_at=moment)


@pytest.mark.parametrize(
    ("days", "left"), [({}, 3), ({"refusals": 30}, 2), ({"refusals": None}, 4), ({"refusals": 0}, 0)]
)
def test_refusals_go_when_their_days_are_over(settings: Any, days: Any, left: int) -> None:
    settings.FSM_LIFECYCLE = {"RETENTION_DAYS": days}
    for age in (1, 29, 364, 366):
        refused(age)
    assert remove_expired(dry_run=True)["refusals"] == 4 - left
    assert RefusedAttempt.objects.count() == 4
    assert remove_expired()["refusals"] == 4 - left
    assert RefusedAttempt.objects.count() == left
    assert remove_expired()["refusals"] == 0


def test_work_that_was_done_goes_and_dead_work_stays() -> None:
    then = timezone.now() - timedelta(days=31)
    for status in ("done", "dead", "queued"):
        WorkItem.objects.create(kind="x", status=status, due_at=then, created_at=then, finished_at=then)
    assert remove_expired()["work"] == 1
    assert set(WorkItem.objects.values_list("status", flat=True)) == {"dead", "queued"}


def test_in_batches_that_can_be_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expiry, "BATCH", 2)
    for _ in range(5):
        refused(400)
    asked: list[bool] = []

    def stopped() -> bool:
        asked.append(True)
        return len(asked) > 2

    assert remove_expired(stopped=stopped)["refusals"] == 4
    assert RefusedAttempt.objects.count() == 1
    assert remove_expired()["refusals"] == 1


def test_to_the_moment() -> None:
    row = refused(10)
    last = row.recorded_at + timedelta(days=365)
    assert not expired("refusals", RefusedAttempt, now=last)
    assert list(expired("refusals", RefusedAttempt, now=last + timedelta(milliseconds=1))) == [row]
