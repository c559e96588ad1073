"""A worker does what is due, in threads that hold each other up in nothing, and ends when it is told to."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from fsm_lifecycle import System
from fsm_lifecycle.dispatch import enqueue, items, leases, pacing, queues, routines, work_off
from fsm_lifecycle.dispatch.modes.thread import MODE
from fsm_lifecycle.dispatch.queues import Queue
from fsm_lifecycle.dispatch.routines import Routine
from fsm_lifecycle.dispatch.work import Work
from fsm_lifecycle.dispatch.working import Worker
from fsm_lifecycle.models import LogLeaf, RoutineState, TransitionLog, WorkItem
from tests.dispatch.workers import until
from tests.testapp.models import Light

pytestmark = pytest.mark.usefixtures("transactional_db")

Doing = Callable[..., Any]
PATIENCE = 100.0


@pytest.fixture
def running(request: Any) -> Any:
    """Run a worker in a thread beside the test."""
    workers: list[tuple[Worker, threading.Thread]] = []

    def run(**options: Any) -> Worker:
        worker = Worker("default", **options)
        thread = threading.Thread(target=worker.run)
        thread.start()
        workers.append((worker, thread))
        return worker

    yield run
    for worker, thread in workers:
        worker.stop()
        thread.join(PATIENCE)
        assert worker.finish(PATIENCE)
        assert not thread.is_alive()


def test_what_commits_is_sealed(registries: None) -> None:
    Light.objects.create().fire("switch_on", actor=System("test"))
    work_off()
    assert LogLeaf.objects.count() == TransitionLog.objects.count() == 2


def test_a_worker_does_what_is_due_and_what_it_is_told_of(doing: Doing, running: Any) -> None:
    done: list[int] = []
    doing(lambda work: done.append(work.payload["n"]))
    enqueue("test", {"n": 1})
    worker = running(idle=60.0)
    until(lambda: done == [1])
    enqueue("test", {"n": 2})
    worker.wake("default")
    until(lambda: done == [1, 2])


def test_a_worker_that_nobody_tells_looks_for_itself(doing: Doing, running: Any) -> None:
    done: list[int] = []
    doing(lambda work: done.append(work.payload["n"]))
    running(idle=0.5)
    time.sleep(0.2)
    enqueue("test", {"n": 1})
    until(lambda: done == [1])


def test_slow_work_holds_up_no_other(doing: Doing, running: Any) -> None:
    release, done = threading.Event(), []

    def run(work: Work) -> None:
        if work.payload["slow"]:
            assert release.wait(PATIENCE)
        done.append(work.payload["slow"])

    doing(run)
    enqueue("test", {"slow": True})
    worker = running()
    until(lambda: WorkItem.objects.filter(tries=1).exists())
    enqueue("test", {"slow": False})
    worker.wake("default")
    until(lambda: done == [False])
    release.set()
    until(lambda: done == [False, True])


def test_no_more_threads_work_than_the_queue_is_wide(doing: Doing) -> None:
    lock, now, most = threading.Lock(), 0, 0
    beside = threading.Event()

    def run(work: Work) -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
            if now > 1:
                beside.set()
        beside.wait(5)  # the next thread may be slow to begin
        time.sleep(0.02)
        with lock:
            now -= 1

    doing(run)
    for _ in range(24):
        enqueue("test", {})
    work_off()
    assert WorkItem.objects.filter(status="done").count() == 24
    assert 1 < most <= items.QUEUE.width


def test_a_worker_that_is_told_to_end_finishes_what_it_has_begun(doing: Doing) -> None:
    began = threading.Event()

    def run(work: Work) -> None:
        began.set()
        time.sleep(0.3)

    doing(run)
    enqueue("test", {})
    worker = Worker("default")
    thread = threading.Thread(target=worker.run)
    thread.start()
    assert began.wait(PATIENCE)
    worker.stop()
    thread.join(PATIENCE)
    assert worker.finish(PATIENCE)
    assert WorkItem.objects.get().status == "done"


def test_what_a_worker_cannot_begin_a_thread_for_is_done_in_its_last_round(
    doing: Doing, running: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As at the end of a process from Python 3.12 on."""
    begin = threading.Thread.start
    refused: list[str] = []

    def start(thread: threading.Thread) -> None:
        if thread.name.startswith("fsm_lifecycle"):
            refused.append(thread.name)
            raise RuntimeError("can't create new thread at interpreter shutdown")
        begin(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    doing(lambda work: None)
    enqueue("test", {})
    worker = running()
    until(lambda: refused)
    assert WorkItem.objects.get().status == "queued"
    worker.flush()
    until(lambda: WorkItem.objects.get().status == "done")


def test_what_work_leaves_behind_while_the_process_ends_is_done_too_and_begins_no_second_worker(
    doing: Doing, settings: Any
) -> None:
    settings.FSM_LIFECYCLE = {"DISPATCH": "thread"}
    done: list[int] = []

    def run(work: Work) -> None:
        if work.payload["n"] == 5:
            time.sleep(0.3)  # it is at work when the end comes
        if work.payload["n"]:
            enqueue("test", {"n": work.payload["n"] - 1})
        done.append(work.payload["n"])

    doing(run)
    enqueue("test", {"n": 5})
    MODE.stop(PATIENCE)
    assert sorted(done) == [0, 1, 2, 3, 4, 5]
    assert not any(one.name == "fsm_lifecycle worker" for one in threading.enumerate())


def test_a_worker_that_is_told_to_end_gives_back_what_it_has_not_begun(doing: Doing) -> None:
    done: list[int] = []
    doing(lambda work: done.append(1))
    for _ in range(3):
        enqueue("test", {})
    claimed = leases.claim(items.ready("default"), limit=3)
    items.work_on("default", claimed, lambda: bool(done))
    assert sorted(WorkItem.objects.values_list("status", "lease_until")) == [
        ("done", None),
        ("queued", None),
        ("queued", None),
    ]
    assert leases.renew(claimed) == 0


def test_a_queue_that_fails_stops_no_other(doing: Doing, caplog: Any) -> None:
    def fail(using: str, rows: Any, stopped: Any) -> None:
        raise RuntimeError("the queue")

    queues.register(
        Queue(
            name="failing",
            label="Failing",
            model=WorkItem,
            ready=lambda using: WorkItem.objects.using(using).filter(kind="for the failing queue"),
            work=fail,
        )
    )
    enqueue("for the failing queue", {})
    done: list[int] = []
    doing(lambda work: done.append(1))
    enqueue("test", {})
    with caplog.at_level(logging.ERROR, logger="fsm_lifecycle"):
        work_off()
    assert done == [1]
    assert "The queue failing" in caplog.text
    assert WorkItem.objects.get(kind="for the failing queue").lease_until is not None


# --- routines -------------------------------------------------------------------------------------------------


def routine(run: Callable[[str], int], **options: Any) -> Routine:
    return routines.register(
        Routine(**{"name": "test", "label": "Test", "run": run, "every": 60.0, **options})
    )


def test_a_paced_routine_runs_once_in_its_time_for_all_processes(registries: None) -> None:
    runs: list[str] = []

    def run(using: str) -> int:
        runs.append(using)
        return 1

    one = routine(run, paced=True)
    barrier = threading.Barrier(4)

    def other_process() -> None:
        barrier.wait(PATIENCE)
        pacing.run(one, "default")
        connections.close_all()

    threads = [threading.Thread(target=other_process) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pacing.run(one, "default")
    assert runs == ["default"]
    state = RoutineState.objects.get(name="test")
    assert state.ran_at is not None
    assert state.due_at > timezone.now()
    pacing.run(one, "default", now=True)
    assert runs == ["default"] * 2


def test_a_routine_that_fails_is_on_record_and_raises_nothing(registries: None, caplog: Any) -> None:
    def fail(using: str) -> int:
        raise RuntimeError("a secret of the routine")

    one = routine(fail, paced=True)
    assert pacing.run(one, "default") == 0
    state = RoutineState.objects.get(name="test")
    assert (state.ran_at, state.error_class) == (None, "RuntimeError")
    assert state.failed_at is not None
    routine(lambda using: 1, paced=True)
    pacing.run(routines.all_routines()[-1], "default", now=True)
    after = RoutineState.objects.get(name="test")
    assert (after.failed_at, after.error_class) == (None, "")


def test_a_worker_runs_woken_routines_soon_and_others_at_their_pace(registries: None, running: Any) -> None:
    seen: list[str] = []

    def noting(name: str) -> Callable[[str], int]:
        def run(using: str) -> int:
            seen.append(name)
            return 0

        return run

    for name, on_commit in (("woken", True), ("slow", False)):
        routine(noting(name), name=name, on_commit=on_commit, every=60.0)
    worker = running(idle=60.0)
    until(lambda: sorted(seen) == ["slow", "woken"])
    time.sleep(0.3)
    worker.wake("default")
    until(lambda: sorted(seen) == ["slow", "woken", "woken"])


def test_an_idle_worker_holds_no_connection(registries: None, running: Any) -> None:
    routines._routines.clear()  # those before it would leave it their connection
    seen = threading.local()
    closed: list[bool] = []

    def run(using: str) -> int:
        closed.append(connections[using].connection is None or not getattr(seen, "began", False))
        seen.began = True
        return 0

    routine(run, every=0.1)
    running(idle=0.2)
    until(lambda: len(closed) > 3)
    assert all(closed)
