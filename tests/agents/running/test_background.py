"""Runs in the modes of background work."""

import time
from typing import Any

import pytest

from fsm_lifecycle.agents.run import AgentRun
from fsm_lifecycle.agents.runs import start
from fsm_lifecycle.dispatch import queues
from fsm_lifecycle.dispatch.modes import thread
from tests.fakes import FakeAnthropic, says

pytestmark = pytest.mark.django_db(transaction=True)


def test_inline_a_run_is_over_when_start_returns(
    fake: FakeAnthropic, chaser: Any, alice: Any, settings: Any
) -> None:
    settings.FSM_LIFECYCLE = {"DISPATCH": "inline"}
    fake.script.append(says("Here I am."))
    run = start(chaser, "Hello?", user=alice)
    run.refresh_from_db()
    assert (run.status, run.answer) == ("done", "Here I am.")


def test_in_a_thread_start_returns_at_once_and_the_run_is_worked_on_beside_it(
    fake: FakeAnthropic, chaser: Any, alice: Any, settings: Any
) -> None:
    settings.FSM_LIFECYCLE = {"DISPATCH": "thread"}
    fake.script.append(says("Here I am.", pause=0.05))
    run = start(chaser, "Hello?", user=alice)
    assert run.status == "queued"
    until = time.monotonic() + 120
    try:
        while not (found := AgentRun.objects.get(pk=run.pk)).is_over:
            assert time.monotonic() < until
            time.sleep(0.05)
    finally:
        thread.MODE.stop()
    assert found.answer == "Here I am."


def test_runs_that_a_person_or_program_steers_are_not_for_workers(alice: Any) -> None:
    AgentRun.objects.create(agent="billing.invoice", user=alice, user_key=str(alice.pk), surface="mcp")
    queue = queues.get("agent_runs")
    assert queue is not None
    assert not queue.ready("default").exists()
