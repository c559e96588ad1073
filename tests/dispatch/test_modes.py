"""The modes: a thread in the process, a command, inline, a real Celery worker on each broker, Django's tasks."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import django
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError, connection, connections, transaction

from fsm_lifecycle import System
from fsm_lifecycle.dispatch import celery, databases, enqueue, pacing, publishing, waking, working
from fsm_lifecycle.dispatch.celery import CELERY_BEAT_SCHEDULE
from fsm_lifecycle.dispatch.publishing import Publisher
from fsm_lifecycle.dispatch.queues import all_queues
from fsm_lifecycle.dispatch.routines import all_routines
from fsm_lifecycle.models import LogLeaf, RoutineState, TransitionLog, WorkItem
from tests.dispatch.workers import AT_LEISURE, BROKERS, PATIENCE, Workers, until
from tests.testapp.gates import Gate

pytestmark = pytest.mark.usefixtures("transactional_db")

ACTOR = System("test")
#: Fires in a process of its own, with a durable effect each time.
FIRE = """
from fsm_lifecycle import System
from tests.testapp.gates import Gate
for _ in range({count}):
    Gate.objects.create().fire("promise", actor=System("test"), arguments={{"load": 1}})
"""


@pytest.fixture
def workers(child_environment: Mapping[str, str], tmp_path: Path) -> Iterator[Workers]:
    found = Workers(child_environment, tmp_path)
    yield found
    found.end()


def answers(broker: str) -> bool:
    address = BROKERS[broker].rpartition("@")[2].removeprefix("redis://").split("/")[0]
    host, _, port = address.partition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=2):
            return True
    except OSError:
        return False


def each_broker() -> list[Any]:
    """In CI a broker that does not answer is a failure."""
    ci = os.environ.get("CI") == "true"
    return [
        pytest.param(
            broker,
            marks=pytest.mark.skipif(not ci and not answers(broker), reason=f"{broker} does not answer"),
        )
        for broker in BROKERS
    ]


def done() -> int:
    return WorkItem.objects.filter(status="done").count()


def sealed() -> bool:
    return LogLeaf.objects.count() == TransitionLog.objects.count()


def fire(count: int = 1) -> None:
    for _ in range(count):
        Gate.objects.create().fire("promise", actor=ACTOR, arguments={"load": 1})


# --- thread -----------------------------------------------------------------------------------------------------


def test_a_thread_of_the_process_does_what_its_commits_left(workers: Workers) -> None:
    wait = """
import time
from fsm_lifecycle.models import WorkItem
end = time.monotonic() + 100
while WorkItem.objects.filter(status="done").count() < 5:
    assert time.monotonic() < end
    time.sleep(0.02)
"""
    workers.run(FIRE.format(count=5) + wait, TEST_DISPATCH="thread")
    assert done() == 5


def test_what_was_committed_last_is_done_before_the_process_ends(workers: Workers) -> None:
    workers.run(AT_LEISURE + FIRE.format(count=1), TEST_DISPATCH="thread")
    assert done() == 1


def test_the_child_of_a_fork_has_a_thread_of_its_own(workers: Workers) -> None:
    fork = """
import os, time
from django.db import connections
from fsm_lifecycle.dispatch import forking
from fsm_lifecycle.models import WorkItem
forking.PATIENCE = 60  # of a busy machine: work that goes on at the fork may hold a lock of C code
connections.close_all()
pid = os.fork()
if pid == 0:
    Gate.objects.create().fire("promise", actor=System("child"), arguments={"load": 1})
    end = time.monotonic() + 60
    while WorkItem.objects.exclude(status="done").exists() and time.monotonic() < end:
        time.sleep(0.02)
    os._exit(WorkItem.objects.exclude(status="done").count())
assert os.waitpid(pid, 0)[1] == 0
"""
    workers.run(AT_LEISURE + FIRE.format(count=1) + fork, TEST_DISPATCH="thread")
    assert done() == 2


def test_no_thread_is_begun_before_there_is_anything_to_do(workers: Workers) -> None:
    look = "import threading; print([t.name for t in threading.enumerate() if 'fsm' in t.name])"
    assert workers.run(look, TEST_DISPATCH="thread").strip() == "[]"


def test_in_a_test_run_a_thread_is_begun_only_where_the_settings_ask_for_it(settings: Any) -> None:
    settings.FSM_LIFECYCLE = {}
    assert not waking.current().listens()
    settings.FSM_LIFECYCLE = {"DISPATCH": "thread"}
    assert waking.current().listens()


# --- inline -----------------------------------------------------------------------------------------------------


def test_inline_everything_is_done_when_the_commit_returns(settings: Any) -> None:
    settings.FSM_LIFECYCLE = {"DISPATCH": "inline"}
    with transaction.atomic():
        fire()
        assert done() == 0
    assert done() == 1
    assert sealed()


def test_inline_work_that_leaves_work_behind_is_done_in_the_same_go(settings: Any) -> None:
    settings.FSM_LIFECYCLE = {"DISPATCH": "inline"}
    last = Gate.objects.create()
    middle = Gate.objects.create(partner=last)
    Gate.objects.create(partner=middle).fire("pass_on", actor=ACTOR)
    middle.refresh_from_db()
    assert middle.state == "open"


def test_a_thousand_firings_of_one_transaction_wake_once(settings: Any) -> None:
    settings.FSM_LIFECYCLE = {"DISPATCH": "inline"}
    gates = [Gate.objects.create() for _ in range(10)]
    with transaction.atomic():
        for gate in gates:
            gate.fire("remove", actor=ACTOR)
        hooks = [waiting[1] for waiting in connection.run_on_commit]
        assert len(hooks) == 1


# --- command ----------------------------------------------------------------------------------------------------


def test_the_command_once_does_all_that_is_due(workers: Workers) -> None:
    fire(5)
    process = workers.command("--once")
    assert process.wait(PATIENCE) == 0, workers.said()
    assert done() == 5
    assert sealed()


def test_the_command_as_a_service_goes_on_until_it_is_told_to_end(workers: Workers) -> None:
    process = workers.command()
    fire(3)
    until(lambda: done() == 3)
    fire(2)
    until(lambda: done() == 5)
    process.terminate()
    assert process.wait(PATIENCE) == 0, workers.said()


# --- celery -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("broker", each_broker())
def test_a_celery_worker_does_what_commits_leave_behind(workers: Workers, broker: str) -> None:
    workers.celery(broker, beat=False)
    workers.run(FIRE.format(count=10), **workers.variables(broker))
    until(lambda: done() == 10, workers.said)
    # Sealing was told of it. What it found depends on the moment: its pace leaves the rest to the beat.
    told = RoutineState.objects.filter(name="sealing", ran_at__isnull=False)
    until(told.exists, workers.said)


@pytest.mark.slow
@pytest.mark.parametrize("broker", each_broker())
def test_beat_finds_what_no_message_told_of_and_what_a_killed_worker_left(
    workers: Workers, broker: str
) -> None:
    first = workers.celery(broker, lease=2)
    fire(3)  # in the mode of the test, which tells no broker
    until(lambda: done() == 3, workers.said)
    fire(10)
    workers.kill(first)
    workers.celery(broker, lease=2)
    until(lambda: done() == 13 and sealed(), workers.said)


def test_a_broker_that_hangs_holds_up_no_transition(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    release, entered = threading.Event(), threading.Event()

    def hang(message: Any) -> None:
        entered.set()
        release.wait(60)

    from fsm_lifecycle.dispatch.modes import celery

    monkeypatch.setattr(celery.MODE, "publisher", Publisher(hang))
    settings.FSM_LIFECYCLE = {"DISPATCH": "celery"}
    fire(20)
    assert entered.wait(30)
    fire(20)
    release.set()
    assert WorkItem.objects.count() == 40


def test_a_broker_that_is_away_is_told_of_once_and_asked_rarely(
    caplog: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[Any] = []
    monkeypatch.setattr(publishing, "PAUSE", 0.05)

    def fail(message: Any) -> None:
        tries.append(message)
        if len(tries) < 4:
            raise ConnectionError("the broker is away")

    publisher = Publisher(fail)
    for number in range(4):
        publisher.publish(("queue", f"q{number}", "default"))
        until(lambda number=number: len(tries) > number)  # type: ignore[misc]
        assert publisher.flush(PATIENCE)  # the pause is over, too
    assert caplog.text.count("The broker did not take a message") == 1


def test_a_broker_that_is_away_is_no_error_of_the_firing(workers: Workers) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        workers.run(FIRE.format(count=3), **workers.variables(f"redis://127.0.0.1:{port}/0"))
    assert WorkItem.objects.filter(status="queued").count() == 3


def test_messages_of_the_same_kind_are_one() -> None:
    release = threading.Event()
    sent: list[Any] = []

    def send(message: Any) -> None:
        release.wait(30)
        sent.append(message)

    publisher = Publisher(send)
    for _ in range(100):
        publisher.publish(("queue", "work", "default"))
    release.set()
    assert publisher.flush(30)
    assert 1 <= len(sent) <= 2


def test_the_beat_schedule_names_every_routine_and_queue_there_is() -> None:
    named = {(entry["task"].rpartition(".")[2], entry["args"][0]) for entry in CELERY_BEAT_SCHEDULE.values()}
    there = {("routine", one.name) for one in all_routines()} | {("queue", one.name) for one in all_queues()}
    assert named == there


def test_a_database_that_is_away_stops_no_work_in_the_others(
    settings: Any, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    settings.FSM_LIFECYCLE = {"DISPATCH": "command"}

    def away(run: Any) -> Any:
        def asked(*args: Any, **kwargs: Any) -> Any:
            if "away" in args:
                raise OperationalError("the server is away")
            return run(*args, **kwargs)

        return asked

    monkeypatch.setattr(databases, "with_work", lambda: ["away", "default"])
    monkeypatch.setitem(connections.databases, "away", connection.settings_dict)
    monkeypatch.setattr(pacing, "run", away(pacing.run))
    monkeypatch.setattr(working, "work_on_queue", away(working.work_on_queue))
    fire()
    with caplog.at_level(logging.WARNING, logger="fsm_lifecycle"):
        celery.routine.run("sealing")
        celery.queue.run("work")
    assert sealed()
    assert done() == 1
    assert caplog.text.count("The database away cannot be asked for work") == 2


# --- Django's tasks ---------------------------------------------------------------------------------------------


@pytest.mark.versions
def test_djangos_own_tasks_carry_the_work_or_it_is_said_which_django_has_them(settings: Any) -> None:
    settings.FSM_LIFECYCLE = {"DISPATCH": "tasks"}
    if django.VERSION < (6, 0):
        with pytest.raises(ImproperlyConfigured, match=r"Django 6\.0"):
            waking.current()
        return
    enqueue("effect", {"entry": "0" * 64})
    until(lambda: WorkItem.objects.filter(status="dead").exists())


def test_a_mode_that_there_is_none_of_is_named(settings: Any) -> None:
    settings.FSM_LIFECYCLE = {"DISPATCH": "rabbit"}
    with pytest.raises(ImproperlyConfigured, match="rabbit"):
        waking.current()
