"""The doctor looks at background work: what was given up, what nobody works off, what fails."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from fsm_lifecycle.dispatch import enqueue, work_off
from fsm_lifecycle.dispatch.routine_state import RoutineState
from fsm_lifecycle.models import WebhookDelivery, WebhookEndpoint, WorkItem
from fsm_lifecycle.ops import doctor
from fsm_lifecycle.ops.checkers import webhooks, work
from fsm_lifecycle.ops.problem import Problem

pytestmark = pytest.mark.django_db(databases=["default", "other"])

KEYS = ["a key for tests that is long enough to be one"]


@pytest.fixture(autouse=True)
def keys(settings: Any) -> None:
    settings.FSM_LIFECYCLE = {"ENCRYPTION_KEYS": KEYS, "DISPATCH": "command"}


def codes(found: Iterator[Problem]) -> list[str]:
    return [problem.code for problem in found]


def all_of_it(using: str = "default") -> list[str]:
    checkers = (work.given_up, work.not_worked_off, work.failing, webhooks.endpoints)
    return [code for checker in checkers for code in codes(checker(using))]


def test_nothing_is_wrong_where_work_is_done() -> None:
    enqueue("effect", {})
    WorkItem.objects.all().delete()
    work_off("default")
    assert all_of_it() == []
    looked_at = doctor.examine("default").looked_at
    assert {"work that was given up", "queues", "routines", "webhooks"} <= set(looked_at)


def test_work_that_was_given_up() -> None:
    WorkItem.objects.create(
        kind="effect", status=WorkItem.DEAD, due_at=timezone.now(), created_at=timezone.now()
    )
    (problem,) = work.given_up("default")
    assert problem.code == "WORK_DEAD"
    assert "Effect" in problem.what
    assert "lifecycle_work --dead list" in problem.remedy


def test_work_that_nobody_takes(settings: Any) -> None:
    long_ago = timezone.now() - timedelta(minutes=20, seconds=5)
    item = enqueue("effect", {}, due_at=long_ago)
    assert item is not None
    (problem,) = work.not_worked_off("default")
    assert problem.code == "WORK_OVERDUE"
    assert "1 due, the oldest for 20 min" in problem.what
    assert "lifecycle_work" in problem.remedy
    settings.FSM_LIFECYCLE = {"DISPATCH": "celery"}
    (problem,) = work.not_worked_off("default")
    assert "beat" in problem.remedy
    WorkItem.objects.update(lease_until=timezone.now() + timedelta(minutes=1), holder="somebody")
    assert codes(work.not_worked_off("default")) == []


def test_deliveries_that_nobody_sends_and_such_that_rest() -> None:
    endpoint = WebhookEndpoint.objects.create(url="https://example.com/")
    long_ago = timezone.now() - timedelta(minutes=20)
    WebhookDelivery.objects.create(endpoint=endpoint, type="x.y.z", due_at=long_ago, entry_hash="ab" * 32)
    assert codes(work.not_worked_off("default")) == ["WORK_OVERDUE"]
    WebhookEndpoint.objects.update(paused_until=timezone.now() + timedelta(hours=1))
    assert codes(work.not_worked_off("default")) == []
    assert codes(webhooks.endpoints("default")) == ["WEBHOOK_PAUSED"]


def test_routines_that_fail_or_do_not_run() -> None:
    work_off("default")
    RoutineState.objects.filter(name="sealing").update(
        failed_at=timezone.now(), error_class="OperationalError"
    )
    RoutineState.objects.filter(name="retention").update(due_at=timezone.now() - timedelta(hours=5))
    found = {problem.code: problem.what for problem in work.failing("default")}
    assert set(found) == {"ROUTINE_FAILING", "ROUTINE_OVERDUE"}
    assert "“Sealing” fails with OperationalError" in found["ROUTINE_FAILING"]
    assert "has been due for 5 h" in found["ROUTINE_OVERDUE"]


def test_endpoints_that_are_off_by_themselves_and_secrets_nobody_can_read(settings: Any) -> None:
    WebhookEndpoint.objects.create(url="https://example.com/", description="Bridge")
    WebhookEndpoint.objects.update(active=False, disabled_reason="gone")
    (problem,) = webhooks.endpoints("default")
    assert problem.code == "WEBHOOK_DISABLED"
    assert "Bridge" in problem.what
    WebhookEndpoint.objects.update(active=True)
    settings.FSM_LIFECYCLE = {"ENCRYPTION_KEYS": ["another key that is long enough to be one"]}
    assert codes(webhooks.endpoints("default")) == ["WEBHOOK_SECRET"]
