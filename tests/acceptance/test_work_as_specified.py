"""Background work, by the specification's words alone."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from celery import Celery, _state
from django.core.management import call_command
from django.db import connections, transaction

from fsm_lifecycle import System
from fsm_lifecycle.dispatch import publishing
from fsm_lifecycle.dispatch.modes import celery, thread
from fsm_lifecycle.dispatch.working import Worker
from fsm_lifecycle.models import WorkItem
from tests.dispatch.workers import PATIENCE, until
from tests.testapp.gates import ORDERS, SEEN, Gate

TESTER = System("test")
START = datetime(2026, 11, 30, 10, tzinfo=UTC)


@pytest.fixture(autouse=True)
def clean(settings: Any) -> Iterator[None]:
    SEEN.clear()
    ORDERS.clear()
    settings.FSM_LIFECYCLE = {"DISPATCH": "command"}
    yield
    SEEN.clear()
    ORDERS.clear()


def boom(*_: Any) -> None:
    raise RuntimeError("the mail server is down, password=hunter2")


def promise() -> Gate:
    gate = Gate.objects.create()
    gate.fire("promise", actor=TESTER, arguments={"load": 3})
    return gate


def promised() -> int:
    return sum(1 for one in SEEN if one[0] == "promise")


@pytest.mark.django_db
def test_a_durable_effect_is_a_row_first_and_is_done_by_the_command() -> None:
    promise()
    assert WorkItem.objects.count() == 1
    assert promised() == 0
    out = io.StringIO()
    call_command("lifecycle_work", "--once", stdout=out)
    assert promised() == 1
    call_command("lifecycle_work", once=True, stdout=out)
    assert promised() == 1


@pytest.mark.django_db
def test_a_rolled_back_firing_leaves_no_work() -> None:
    with transaction.atomic():
        promise()
        transaction.set_rollback(True)
    assert not WorkItem.objects.exists()


@pytest.mark.django_db
def test_work_out_of_tries_is_dead_and_can_be_listed_retried_and_dropped() -> None:
    ORDERS.append(boom)
    with time_machine.travel(START, tick=False) as clock:
        promise()
        for _ in range(40):
            call_command("lifecycle_work", "--once", stdout=io.StringIO(), stderr=io.StringIO())
            clock.shift(timedelta(days=1))
        item = WorkItem.objects.get()
        assert item.status == "dead"
        tried = promised()
        assert tried > 1
        out = io.StringIO()
        call_command("lifecycle_work", "--dead", "list", stdout=out)
        assert str(item.pk) in out.getvalue()
        assert "hunter2" not in out.getvalue()
        call_command("lifecycle_work", "--once", stdout=io.StringIO(), stderr=io.StringIO())
        assert promised() == tried
        ORDERS.clear()
        call_command("lifecycle_work", dead="retry", stdout=io.StringIO())
        call_command("lifecycle_work", "--once", stdout=io.StringIO())
        assert promised() == tried + 1
        assert not WorkItem.objects.filter(status="dead").exists()

        ORDERS.append(boom)
        promise()
        for _ in range(40):
            call_command("lifecycle_work", "--once", stdout=io.StringIO(), stderr=io.StringIO())
            clock.shift(timedelta(days=1))
        assert WorkItem.objects.filter(status="dead").count() == 1
        call_command("lifecycle_work", "--dead=drop", stdout=io.StringIO())
        assert not WorkItem.objects.filter(status="dead").exists()


@pytest.mark.django_db
def test_fires_with_retry_waits_until_the_other_record_can() -> None:
    with time_machine.travel(START, tick=False) as clock:
        partner = Gate.objects.create(mode="locked")
        partner.fire("remove", actor=TESTER)
        gate = Gate.objects.create(partner=partner)
        gate.fire("pass_on", actor=TESTER)
        assert Gate.objects.get(pk=gate.pk).state == "open"
        call_command("lifecycle_work", "--once", stdout=io.StringIO(), stderr=io.StringIO())
        assert Gate.objects.get(pk=partner.pk).state == "gone"
        Gate.objects.get(pk=partner.pk).fire("bring_back", actor=TESTER)
        Gate.objects.filter(pk=partner.pk).update(mode="")
        clock.shift(timedelta(days=2))
        call_command("lifecycle_work", "--once", stdout=io.StringIO(), stderr=io.StringIO())
        assert Gate.objects.get(pk=partner.pk).state in {"open", "shut"}


@pytest.mark.django_db
def test_inline_in_a_test_case(settings: Any, django_capture_on_commit_callbacks: Any) -> None:
    settings.FSM_LIFECYCLE = {"DISPATCH": "inline"}
    with django_capture_on_commit_callbacks(execute=True):
        promise()
    assert promised() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("mode", ["inline", "thread"])
def test_modes_that_need_nobody(settings: Any, mode: str) -> None:
    settings.FSM_LIFECYCLE = {"DISPATCH": mode}
    try:
        promise()
        until(lambda: promised() == 1)
    finally:
        thread.MODE.stop(PATIENCE)


@pytest.mark.django_db(transaction=True)
def test_celery_that_runs_eagerly(settings: Any) -> None:
    settings.FSM_LIFECYCLE = {"DISPATCH": "celery"}
    before, app = _state.default_app, Celery("eager", set_as_current=False)
    app.set_default()  # as the first app of a project is
    app.conf.task_always_eager = True
    try:
        promise()
        until(lambda: promised() == 1)
    finally:
        assert celery.MODE.publisher.flush(PATIENCE)  # what is left is not done in the next test
        _state.set_default_app(before)


@pytest.mark.django_db(transaction=True)
def test_a_broker_that_is_down_only_delays(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.FSM_LIFECYCLE = {"DISPATCH": "celery"}
    monkeypatch.setattr(publishing, "PAUSE", 0.1)
    before, app = _state.default_app, Celery("down", broker="redis://127.0.0.1:1/0", set_as_current=False)
    app.set_default()
    try:
        begun = time.monotonic()
        gate = promise()
        assert time.monotonic() - begun < 30
        assert Gate.objects.get(pk=gate.pk).state == "open"
        call_command("lifecycle_work", "--once", stdout=io.StringIO())
        assert promised() == 1
    finally:
        assert celery.MODE.publisher.flush(PATIENCE)
        _state.set_default_app(before)
        app.close()


@pytest.mark.pure
def test_the_beat_schedule() -> None:
    from fsm_lifecycle.dispatch.celery import CELERY_BEAT_SCHEDULE

    app = Celery("beat", set_as_current=False)
    app.autodiscover_tasks(["fsm_lifecycle"], force=True)
    app.finalize()
    app.conf.beat_schedule = CELERY_BEAT_SCHEDULE
    for name, entry in CELERY_BEAT_SCHEDULE.items():
        assert {"task", "schedule"} <= set(entry), name
        task = app.tasks[entry["task"]]
        assert task.acks_late
        assert task.ignore_result
        assert task.time_limit > 60
        assert task.max_retries is None or task.max_retries >= 0
    said = " ".join(f"{name} {entry}" for name, entry in CELERY_BEAT_SCHEDULE.items()).lower()
    for word in ("relay", "timer", "seal", "rollup", "retention", "grant", "proposal"):
        assert word in said, word


@pytest.mark.django_db(databases=["default", "other"])
def test_every_beat_task_can_be_called() -> None:
    from fsm_lifecycle.dispatch.celery import CELERY_BEAT_SCHEDULE

    promise()
    app = Celery("beat-direct", set_as_current=False)
    app.autodiscover_tasks(["fsm_lifecycle"], force=True)
    app.finalize()
    for entry in CELERY_BEAT_SCHEDULE.values():
        app.tasks[entry["task"]](*entry.get("args", ()), **entry.get("kwargs", {}))
    assert promised() == 1


@pytest.mark.once
@pytest.mark.django_db(databases=["default", "other"], transaction=True)
def test_a_worker_outlives_a_database_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    connections["other"].close()
    monkeypatch.setitem(connections["other"].settings_dict, "NAME", "/nowhere/at/all.sqlite3")
    worker = Worker("other", idle=0.05)
    at_work = threading.Thread(target=worker.run)
    at_work.start()
    at_work.join(0.7)
    try:
        assert at_work.is_alive()
    finally:
        worker.stop()
        at_work.join(PATIENCE)
