"""What ends a run: budgets, switches, the stop button, a model that is not there."""

from __future__ import annotations

import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.checks import run_checks
from django.test import override_settings

from fsm_lifecycle.agents import Budget, LifecycleAgent, dispatch, execute, start, stop
from fsm_lifecycle.models import AgentRun
from sample_project.billing.models import Invoice
from tests.acceptance.agent_desk import Chaser, agent, invoice
from tests.acceptance.fake_claude import claude, text, use

pytestmark = [pytest.mark.once, pytest.mark.django_db, pytest.mark.usefixtures("known")]


@pytest.mark.parametrize(
    ("budget", "reason"),
    [
        ({"turns": 2}, "turns"),
        ({"tool_calls": 1}, "tool_calls"),
        ({"tokens": 30}, "tokens"),
        ({"seconds": 0}, "seconds"),
    ],
)
def test_budgets_stop(alice: User, monkeypatch: Any, budget: dict[str, int], reason: str) -> None:
    limits = Budget(**budget)  # type: ignore[arg-type]

    class Endless(LifecycleAgent):
        lifecycle = Invoice

    Endless.budget = limits
    with claude(lambda body: [use("list_invoices")], monkeypatch) as fake:
        run = Endless.run("Go", user=alice)
        assert (run.status, run.stop_reason) == ("stopped", reason)
        assert len(fake.bodies) <= 3


def test_a_cost_stops(alice: User, monkeypatch: Any) -> None:
    class Costly(LifecycleAgent):
        lifecycle = Invoice
        budget = Budget(cost="0.10")

    prices = {"claude-sonnet-5-5": {"input": 3, "output": 1000}}
    for named in (prices, {"anthropic/claude-sonnet-5-5": {"input": "3", "output": "1000"}}):
        with (
            override_settings(FSM_LIFECYCLE={"AGENT_PRICES": named}),
            claude(lambda body: [use("list_invoices")], monkeypatch),
        ):
            run = Costly.run("Go", user=alice)
            assert (run.status, run.stop_reason) == ("stopped", "cost")
            assert run.cost <= Decimal("0.10")


def test_switched_off(alice: User, monkeypatch: Any) -> None:
    with (
        override_settings(FSM_LIFECYCLE={"AGENTS_ENABLED": False}),
        claude([[text("x")]], monkeypatch) as fake,
    ):
        run = Chaser.run("x", user=alice)
        assert (run.status, run.stop_reason) == ("stopped", "disabled")
        assert not fake.bodies
        run = AgentRun.objects.create(agent="billing.invoice", user=alice)
        assert dispatch(run, "list_invoices", {}, "c1")["code"] == "disabled"


def test_daily_tokens(alice: User, monkeypatch: Any) -> None:
    with (
        override_settings(FSM_LIFECYCLE={"AGENT_USER_DAILY_TOKENS": 10}),
        claude([[text("x")]], monkeypatch) as fake,
    ):
        run = Chaser.run("x", user=alice)
        assert run.status == "stopped"
        assert not fake.bodies


def test_a_model_that_never_stops_and_one_that_calls_many_at_once(alice: User, monkeypatch: Any) -> None:
    many = [use("list_invoices", id=f"t{n}") for n in range(30)]

    with claude(lambda body: many, monkeypatch) as fake:
        run = agent(budget=Budget(tool_calls=40)).run("x", user=alice)
        assert (run.status, run.stop_reason) == ("stopped", "tool_calls")
        assert run.tool_calls <= 40
        assert len(fake.bodies) <= 2


REPLY = """
import json, sys
asked = json.load(sys.stdin)
assert asked["messages"][0]["role"] == "user"
if len(asked["messages"]) == 1:
    content = [{"type": "tool_use", "id": "t1", "name": "list_invoices", "input": {}}]
    stop = "tool_use"
else:
    content, stop = [{"type": "text", "text": "From a command."}], "end_turn"
print(json.dumps({"role": "assistant", "content": content, "stop_reason": stop%s}))
"""


@pytest.mark.parametrize(
    "usage",
    ["", ', "usage": {"input_tokens": 3, "output_tokens": 4}, "id": "m", "type": "message", "model": "x"'],
)
def test_a_command_is_a_provider(alice: User, tmp_path: Path, usage: str) -> None:
    program = tmp_path / "model.py"
    program.write_text(REPLY % usage)
    name = f"command/{sys.executable} {program}"
    run = agent(model=name).run("x", user=alice)
    assert (run.status, run.answer) == ("done", "From a command."), run.stop_reason
    with override_settings(FSM_LIFECYCLE={"AGENT_MODEL": name}):
        assert agent().run("x", user=alice).status == "done"
    with override_settings(FSM_LIFECYCLE={"AGENT_MODEL": "house", "AGENT_PROVIDERS": {"house": name}}):
        assert agent().run("x", user=alice).status == "done"


@pytest.mark.parametrize(
    "model",
    [
        "anthropic/claude-sonnet-5-5",
        "nonsense",
        "scripted/none",
        "command/does-not-exist",
        "openai/x@http://127.0.0.1:9/v1",
    ],
)
def test_without_a_key_it_fails_and_says_so(alice: User, monkeypatch: Any, model: str) -> None:
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    run = agent(model=model, budget=Budget(seconds=2)).run("x", user=alice)
    assert run.status in ("failed", "stopped")
    assert run.stop_reason


def test_a_stopped_run_does_nothing_more(alice: User) -> None:

    record = invoice(state="sent")
    run = start(agent(approval={"mark_overdue": "never"}), "x", user=alice)
    stop(run)
    answer = dispatch(run, "mark_overdue_invoice", {"id": record.pk, "expected_state": "sent"}, "c1")
    assert answer["success"] is False
    assert execute(run.pk).status == "stopped"


def test_deactivated_between(alice: User) -> None:
    record = invoice(state="sent")
    run = start(agent(approval={"mark_overdue": "never"}), "x", user=alice)
    run.user  # noqa: B018 - in the cache of the run
    User.objects.filter(pk=alice.pk).update(is_active=False)
    answer = dispatch(run, "mark_overdue_invoice", {"id": record.pk, "expected_state": "sent"}, "c1")
    assert answer["code"] == "access_denied"
    assert execute(run.pk).status in ("stopped", "failed")


def test_checks_find_a_cost_without_a_price() -> None:
    agent(budget=Budget(cost="2.00"), model="anthropic/claude-sonnet-5-5")
    assert any(
        "price" in str(m.msg).lower() or "price" in str(m.hint).lower()
        for m in run_checks()
        if str(m.id).startswith("fsm_lifecycle.E")
    )
