"""The same run given to several workers at once is worked on by one of them."""

import threading
from typing import Any

import pytest
from django.db import connections

from fsm_lifecycle.agents.message import AgentMessage
from fsm_lifecycle.agents.run import AgentRun
from fsm_lifecycle.agents.runs import execute, say, start
from sample_project.billing.models import Invoice
from tests.agents.running.conftest import marks, steps
from tests.fakes import FakeAnthropic, calls, says

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(count: int, work: Any) -> list[Any]:
    """What ``work`` gives, or raises, in so many threads that begin together."""
    barrier = threading.Barrier(count)
    found: list[Any] = []

    def begin() -> None:
        try:
            barrier.wait(60)
            found.append(work())
        except Exception as error:
            found.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=begin) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_a_run_that_is_delivered_four_times_at_once_is_run_once(
    fake: FakeAnthropic, chaser: Any, alice: Any, sent: Invoice
) -> None:
    fake.script += [calls("mark_overdue_invoice", marks(sent), pause=0.01), says("Done.")]
    run = start(chaser, "Mark it", user=alice)
    found = at_once(4, lambda: execute(run.pk))
    assert [type(one) for one in found] == [AgentRun] * 4, found
    assert AgentRun.objects.get(pk=run.pk).status == "done"
    assert len(fake.requests) == 2
    assert steps(sent) == ["created", "send_invoice", "mark_overdue"]
    assert AgentMessage.objects.filter(run=run).count() == 4


def test_of_two_who_go_on_with_a_conversation_at_once_one_is_told_to_wait(
    fake: FakeAnthropic, chaser: Any, alice: Any
) -> None:
    from fsm_lifecycle.agents.runs import RunNotOver

    fake.script.append(says("Hello."))
    first = execute(start(chaser, "Hello?", user=alice).pk)
    found = at_once(3, lambda: say(first, "And now?"))
    assert sorted(type(one).__name__ for one in found) == ["AgentRun", "RunNotOver", "RunNotOver"], found
    assert RunNotOver.code == "run_not_over"
    assert AgentRun.objects.filter(conversation=first.conversation).count() == 2


def test_all_runs_of_a_user_at_once_stay_below_a_days_tokens(
    fake: FakeAnthropic, chaser: Any, alice: Any, settings: Any
) -> None:
    # Room for the first requests of all four: else each may give way to the others, and none is made.
    settings.FSM_LIFECYCLE = {**settings.FSM_LIFECYCLE, "AGENT_USER_DAILY_TOKENS": 80_000}
    fake.think = lambda body: calls("list_invoices", output_tokens=400)
    runs = [start(chaser, "Go on for ever", user=alice).pk for _ in range(4)]
    waiting = list(runs)
    at_once(4, lambda: execute(waiting.pop()))
    done = AgentRun.objects.filter(pk__in=runs)
    assert {run.stop_reason for run in done} <= {"daily_tokens", "turns"}
    assert "daily_tokens" in {run.stop_reason for run in done}
    assert 0 < sum(run.tokens for run in done) <= 80_000
