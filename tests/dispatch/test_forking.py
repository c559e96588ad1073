"""A fork waits until the threads of the process are between two pieces of work, but not for long."""

from __future__ import annotations

import os
import threading
import time
from typing import Any

import pytest

from fsm_lifecycle.dispatch import forking, items, queues, routines, working
from fsm_lifecycle.dispatch.forking import at_work

pytestmark = [pytest.mark.pure, pytest.mark.once]

#: Seconds that no machine is held up.
LONG = 60.0


def fork() -> float:
    """Fork a child that ends at once; how long that took."""
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        with at_work():  # nobody holds the child up
            os._exit(0)
    took = time.monotonic() - began
    assert os.waitpid(child, 0)[1] == 0
    return took


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize(("lasts", "patience"), [(0.3, LONG), (LONG, forking.PATIENCE)])
def test_a_fork_waits_for_a_piece_of_work_but_not_for_a_long_one(
    lasts: float, patience: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forking, "PATIENCE", patience)
    inside, let_go, ended = threading.Event(), threading.Event(), []

    def work() -> None:
        with at_work():
            inside.set()
            let_go.wait(lasts)
            ended.append(time.monotonic())

    thread = threading.Thread(target=work)
    thread.start()
    assert inside.wait(LONG)
    fork()
    assert bool(ended) == (lasts < patience)
    let_go.set()
    thread.join()


@pytest.mark.usefixtures("registries")
@pytest.mark.parametrize("part", ["crew", "worker"])
def test_a_connection_is_closed_at_work(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fork in the middle of it would take a lock of the database's client along."""
    inside: list[bool] = []

    class Connections:
        def close(self, *args: Any) -> None:
            inside.append(threading.get_ident() in forking._gate.inside)

        close_all = close

        def __getitem__(self, using: str) -> Connections:
            return self

    monkeypatch.setattr(working, "connections", Connections())
    monkeypatch.setattr(working, "drain", lambda *args, **kwargs: 0)
    if part == "crew":
        working.Crew(items.QUEUE, "default")._work()
    else:
        routines._routines.clear()
        queues._queues.clear()
        working.Worker("default")._round("default", woken=False)
    assert inside == [True]


def test_who_forks_at_work_does_not_wait_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forking, "PATIENCE", LONG)
    with at_work():
        assert fork() < LONG


def test_nobody_begins_while_a_fork_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forking, "PATIENCE", LONG)
    order: list[str] = []
    forking._gate.close()

    def work() -> None:
        with at_work():
            order.append("work")

    thread = threading.Thread(target=work)
    thread.start()
    time.sleep(0.1)
    order.append("fork")
    forking._gate.open()
    thread.join(LONG)
    assert order == ["fork", "work"]
