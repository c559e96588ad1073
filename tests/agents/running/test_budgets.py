"""Budgets end a run with a recorded reason, and nothing goes past them."""

import threading
import time
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from fsm_lifecycle.agents.budget import Budget
from fsm_lifecycle.agents.event import AgentEvent
from fsm_lifecycle.agents.loop.accounting import LONGEST, Account, used_today
from fsm_lifecycle.agents.prices import price_of
from fsm_lifecycle.agents.run import AgentRun
from fsm_lifecycle.agents.runs import execute, run_to_the_end, start, stop
from sample_project.billing.models import Invoice
from tests.agents.running.conftest import Declaring, steps
from tests.fakes import FakeAnthropic, Turn, calls, says

pytestmark = pytest.mark.django_db

PRICES = {"claude-sonnet-5-5": {"input": 3, "output": 15}}


def restless(invoice: Invoice, **how: Any) -> Any:
    """A model that never stops calling tools."""
    return lambda body: calls("get_invoice", {"id": str(invoice.pk)}, **how)


def test_a_model_that_never_stops_is_stopped_by_turns(
    fake: FakeAnthropic, declare: Declaring, alice: Any, sent: Invoice
) -> None:
    fake.think = restless(sent)
    run = run_to_the_end(declare(budget=Budget(turns=4, tokens=None)), "Go on for ever", user=alice)
    assert (run.status, run.stop_reason, run.turns, run.tool_calls) == ("stopped", "turns", 4, 4)
    assert len(fake.requests) == 4


def test_a_model_that_never_stops_is_stopped_by_tool_calls(
    fake: FakeAnthropic, declare: Declaring, alice: Any, sent: Invoice
) -> None:
    fake.think = restless(sent)
    run = run_to_the_end(declare(budget=Budget(tool_calls=3, tokens=None)), "Go on for ever", user=alice)
    assert (run.status, run.stop_reason, run.tool_calls) == ("stopped", "tool_calls", 3)
    assert AgentEvent.objects.filter(run=run, kind="tool_result").count() == 3


@pytest.mark.parametrize("said", [20, 3_000, 100_000])
@pytest.mark.parametrize("limit", [9_000, 20_000, 60_000])
def test_tokens_never_pass_the_budget(
    fake: FakeAnthropic, declare: Declaring, alice: Any, sent: Invoice, limit: int, said: int
) -> None:
    fake.think = restless(sent, output_tokens=said)
    run = run_to_the_end(declare(budget=Budget(tokens=limit, turns=50)), "Go on for ever", user=alice)
    assert (run.status, run.stop_reason) == ("stopped", "tokens")
    assert 0 < run.tokens <= limit
    left = limit
    for body, spent in zip(fake.bodies, _spent(run), strict=True):
        assert body["max_tokens"] <= left
        left -= spent
    assert left >= 0


def _spent(run: AgentRun) -> list[int]:
    rows = AgentEvent.objects.filter(run=run, kind="usage").order_by("seq")
    return [row.payload["input"] + row.payload["output"] for row in rows]


def test_a_budget_that_does_not_hold_the_first_request_asks_nothing(
    fake: FakeAnthropic, declare: Declaring, alice: Any
) -> None:
    run = run_to_the_end(declare(budget=Budget(tokens=100)), "Hello?", user=alice)
    assert (run.status, run.stop_reason, run.turns, run.tokens) == ("stopped", "tokens", 0, 0)
    assert fake.requests == []


def test_an_answer_may_have_so_much_and_no_more(fake: FakeAnthropic, declare: Declaring, alice: Any) -> None:
    fake.script.append(says("Fine."))
    run_to_the_end(declare(budget=Budget(tokens=None)), "Hello?", user=alice)
    assert fake.bodies[0]["max_tokens"] == LONGEST


def test_an_answer_cut_off_by_the_budget_says_so(fake: FakeAnthropic, declare: Declaring, alice: Any) -> None:
    fake.think = lambda body: says("Once", stop_reason="max_tokens", output_tokens=10**6, input_tokens=1)
    run = run_to_the_end(declare(budget=Budget(tokens=9_000)), "Tell", user=alice)
    assert (run.status, run.stop_reason, run.answer) == ("stopped", "tokens", "Once")


# Money


def test_the_cost_is_counted_by_the_prices(
    fake: FakeAnthropic, chaser: Any, alice: Any, settings: Any
) -> None:
    settings.FSM_LIFECYCLE = {**settings.FSM_LIFECYCLE, "AGENT_PRICES": PRICES}
    fake.script.append(says("Fine.", input_tokens=1_000, cached=(500, 500), output_tokens=200))
    run = run_to_the_end(chaser, "Hello?", user=alice)
    assert run.cost == Decimal("0.009")  # 2,000 at 3 $ and 200 at 15 $ per million


def test_money_never_passes_the_budget(
    fake: FakeAnthropic, declare: Declaring, alice: Any, sent: Invoice, settings: Any
) -> None:
    settings.FSM_LIFECYCLE = {**settings.FSM_LIFECYCLE, "AGENT_PRICES": PRICES}
    fake.think = restless(sent, output_tokens=900)
    agent = declare(budget=Budget(tokens=None, cost="0.10", turns=50))
    run = run_to_the_end(agent, "Go on for ever", user=alice)
    assert (run.status, run.stop_reason) == ("stopped", "cost")
    assert Decimal("0.02") < run.cost <= Decimal("0.10")


def test_a_budget_in_money_without_a_price_asks_nothing(
    fake: FakeAnthropic, declare: Declaring, alice: Any
) -> None:
    run = run_to_the_end(declare(budget=Budget(cost="2.00")), "Hello?", user=alice)
    assert (run.status, run.stop_reason) == ("failed", "no_price")
    assert fake.requests == []


@pytest.mark.parametrize(
    ("prices", "model", "found"),
    [
        (PRICES, "anthropic/claude-sonnet-5-5", True),
        ({"anthropic/claude-sonnet-5-5": {"input": 1, "output": 1}}, "anthropic/claude-sonnet-5-5", True),
        (
            {"llama3.1:8b": {"input": "0.1", "output": 0}},
            "openai/llama3.1:8b@http://localhost:11434/v1",
            True,
        ),
        (PRICES, "anthropic/claude-opus-5-5", False),
        ({"x": {"input": 1}}, "anthropic/x", False),
        ({"x": {"input": "much", "output": 1}}, "anthropic/x", False),
        ({"x": {"input": -1, "output": 1}}, "anthropic/x", False),
        ({"x": 3}, "anthropic/x", False),
    ],
)
def test_a_price_is_found_by_the_models_name(settings: Any, prices: Any, model: str, found: bool) -> None:
    settings.FSM_LIFECYCLE = {"AGENT_PRICES": prices}
    assert (price_of(model) is not None) is found


# Time


def test_a_run_that_takes_too_long_is_stopped_while_the_model_is_silent(
    fake: FakeAnthropic, declare: Declaring, alice: Any
) -> None:
    fake.script.append(says("Slowly.", stalls_after=4))
    began = time.monotonic()
    run = run_to_the_end(declare(budget=Budget(tokens=None, seconds=0.8)), "Hello?", user=alice)
    assert (run.status, run.stop_reason) == ("stopped", "seconds")
    assert 0.7 < run.seconds < 60
    assert time.monotonic() - began < 60


def test_a_model_that_drips_is_stopped_in_time(fake: FakeAnthropic, declare: Declaring, alice: Any) -> None:
    fake.script.append(says("word " * 2000, pause=0.2))
    run = run_to_the_end(declare(budget=Budget(tokens=None, seconds=0.8)), "Hello?", user=alice)
    assert (run.stop_reason, run.answer) == ("seconds", "")
    assert 0.7 < run.seconds < 60


# A user's day


def test_all_runs_of_a_user_together_stay_below_a_days_tokens(
    fake: FakeAnthropic, chaser: Any, alice: Any, sent: Invoice, settings: Any
) -> None:
    settings.FSM_LIFECYCLE = {**settings.FSM_LIFECYCLE, "AGENT_USER_DAILY_TOKENS": 30_000}
    fake.think = restless(sent, output_tokens=50)
    first = run_to_the_end(chaser, "Go on for ever", user=alice)
    asked = len(fake.requests)
    second = run_to_the_end(chaser, "And once more", user=alice)
    assert first.stop_reason == second.stop_reason == "daily_tokens"
    assert 0 < first.tokens + second.tokens <= 30_000
    assert len(fake.requests) == asked


def test_another_day_and_another_user_have_tokens_of_their_own(
    fake: FakeAnthropic, chaser: Any, alice: Any, settings: Any
) -> None:
    settings.FSM_LIFECYCLE = {**settings.FSM_LIFECYCLE, "AGENT_USER_DAILY_TOKENS": 30_000}
    yesterday = timezone.now() - timedelta(days=1)
    over = {"status": "done", "created_at": yesterday, "finished_at": yesterday}
    AgentRun.objects.create(agent="x", user_key=str(alice.pk), input_tokens=30_000, **over)
    AgentRun.objects.create(agent="x", user_key="another", input_tokens=30_000)
    fake.script.append(says("Fine."))
    assert run_to_the_end(chaser, "Hello?", user=alice).status == "done"


def test_a_run_begun_before_midnight_counts_with_what_it_uses_after(
    fake: FakeAnthropic, chaser: Any, alice: Any, sent: Invoice, settings: Any
) -> None:
    settings.FSM_LIFECYCLE = {**settings.FSM_LIFECYCLE, "AGENT_USER_DAILY_TOKENS": 30_000}
    yesterday = timezone.now() - timedelta(days=1)
    fake.think = restless(sent, output_tokens=50)
    used = []
    for _ in range(2):
        run = start(chaser, "Go on for ever", user=alice)
        AgentRun.objects.filter(pk=run.pk).update(created_at=yesterday, input_tokens=700, output_tokens=300)
        usage = {"input": 700, "output": 300, "bytes": 2000, "turn": 1}
        AgentEvent.objects.create(run=run, seq=100, kind="usage", payload=usage, at=yesterday)
        run = execute(run.pk)
        assert run.stop_reason == "daily_tokens"
        used.append(run.tokens - 1000)
    assert used[0] > 20_000
    assert sum(used) <= 30_000
    assert used_today(run) == sum(used)


# Switched off, stopped


def test_the_kill_switch_is_looked_at_before_each_request(
    fake: FakeAnthropic, chaser: Any, alice: Any, settings: Any
) -> None:
    settings.FSM_LIFECYCLE = {**settings.FSM_LIFECYCLE, "AGENTS_ENABLED": False}
    run = run_to_the_end(chaser, "Hello?", user=alice)
    assert (run.status, run.stop_reason) == ("stopped", "disabled")
    assert fake.requests == []


def test_the_kill_switch_is_looked_at_before_each_tool(
    fake: FakeAnthropic, chaser: Any, alice: Any, sent: Invoice, settings: Any
) -> None:
    def switched_off_meanwhile(body: Any) -> Turn:
        settings.FSM_LIFECYCLE = {**settings.FSM_LIFECYCLE, "AGENTS_ENABLED": False}
        return calls("mark_overdue_invoice", {"id": str(sent.pk), "expected_state": "sent"})

    fake.think = switched_off_meanwhile
    run = run_to_the_end(chaser, "Mark it", user=alice)
    assert (run.status, run.stop_reason, run.tool_calls) == ("stopped", "disabled", 0)
    assert steps(sent) == ["created", "send_invoice"]


def test_a_run_that_is_not_begun_is_over_when_it_is_stopped(chaser: Any, alice: Any) -> None:
    run = start(chaser, "Hello?", user=alice)
    stop(run)
    run.refresh_from_db()
    assert (run.status, run.stop_reason) == ("stopped", "user")
    stop(run)
    assert execute(run.pk).status == "stopped"
    last = AgentEvent.objects.filter(run=run).order_by("-seq")[0]
    assert last.payload == {"status": "stopped", "stop_reason": "user"}


@pytest.mark.django_db(transaction=True)
def test_the_stop_button_is_seen_while_the_model_writes(fake: FakeAnthropic, chaser: Any, alice: Any) -> None:
    fake.script.append(says("word " * 2000, pause=0.5))  # for minutes
    run = start(chaser, "Write", user=alice)
    pressed: list[float] = []

    def press() -> None:
        from django.db import connections

        assert fake.streaming.wait(100)
        stop(AgentRun.objects.get(pk=run.pk))
        pressed.append(time.monotonic())
        connections.close_all()

    presser = threading.Thread(target=press)
    presser.start()
    done = execute(run.pk)
    presser.join()
    assert (done.status, done.stop_reason) == ("stopped", "user")
    assert time.monotonic() - pressed[0] < 60


def test_a_run_whose_worker_died_is_over_when_it_is_stopped(chaser: Any, alice: Any) -> None:
    run = start(chaser, "Hello?", user=alice)
    past = timezone.now() - timedelta(seconds=1)
    AgentRun.objects.filter(pk=run.pk).update(status="running", holder="dead", fence=1, lease_until=past)
    stop(run)
    run.refresh_from_db()
    assert (run.status, run.stop_reason, run.fence) == ("stopped", "user", 2)


def test_two_runs_that_reserve_at_the_same_moment_see_each_other(
    fake: FakeAnthropic, chaser: Any, alice: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both found room; then both write. Each asks again after writing, so neither passes the day's tokens."""
    settings.FSM_LIFECYCLE = {**settings.FSM_LIFECYCLE, "AGENT_USER_DAILY_TOKENS": 30_000}
    other = AgentRun.objects.create(agent="x", user_key=str(alice.pk))
    found_room = Account._within

    def meanwhile(self: Account, size: int) -> Any:
        reservation = found_room(self, size)
        AgentRun.objects.filter(pk=other.pk).update(input_tokens=25_000)
        return reservation

    monkeypatch.setattr(Account, "_within", meanwhile)
    run = run_to_the_end(chaser, "Hello?", user=alice)
    assert (run.status, run.stop_reason, run.tokens, run.turns) == ("stopped", "daily_tokens", 0, 0)
    assert fake.requests == []
