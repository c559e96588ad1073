"""What the specification says of agents and their runs, tried with its public names alone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command

from fsm_lifecycle import AccessDenied, Agent, ApprovalRequired, LifecycleError, System
from fsm_lifecycle.agents import LifecycleAgent, dispatch, execute, start
from fsm_lifecycle.models import AgentEvent, AgentMessage, AgentRun
from sample_project.billing.models import Invoice
from tests.acceptance.agent_desk import Chaser, invoice
from tests.acceptance.fake_claude import claude, text, use
from tests.testapp.models import Invoice as PlainInvoice

pytestmark = [pytest.mark.once, pytest.mark.django_db, pytest.mark.usefixtures("known")]


@pytest.mark.parametrize("key", ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"])
def test_a_run_marks_what_is_overdue(alice: User, monkeypatch: Any, key: str) -> None:
    record = invoice(state="sent")
    script = [
        [use("overdue", {"days": 3})],
        [use("mark_overdue_invoice", {"id": record.pk, "expected_state": "sent"})],
        [text("Done.")],
    ]
    with claude(script, monkeypatch, key) as fake:
        run = Chaser.run("Mark all sent invoices as overdue", user=alice)
        assert (run.status, run.answer) == ("done", "Done."), (run.stop_reason, fake.bodies)
        assert fake.results()[-1]["success"] is True
    record.refresh_from_db()
    assert record.state == "overdue"
    entry = record.log.last()
    assert entry is not None
    told = json.dumps(entry.body, default=str)
    assert str(run.pk) in told
    assert "claude-sonnet-5-5" in told
    assert AgentMessage.objects.filter(run=run).exists()
    assert AgentEvent.objects.filter(run=run).exists()
    body = fake.bodies[0]
    assert body["tool_choice"]["type"] == "auto"
    assert body["tool_choice"]["disable_parallel_tool_use"] is True
    assert body["stream"] is True
    names = {t["name"] for t in body["tools"]}
    assert {
        "list_invoices",
        "get_invoice",
        "available_events_for_invoice",
        "transition_history_for_invoice",
        "mark_overdue_invoice",
        "cancel_invoice",
        "plan_invoices",
        "overdue",
    } <= names
    assert "send_invoice_invoice" not in names  # No draft that could be sent.
    assert "pay_invoice" not in names
    for one in body["tools"]:
        if one["name"].endswith("cancel_invoice"):
            assert one["input_schema"]["additionalProperties"] is False
            assert "expected_state" in one["input_schema"]["required"]
            assert "reason" in one["input_schema"]["properties"]
    assert "secret@example.com" not in "".join(fake.raw)


def test_start_queues_and_execute_works(alice: User, monkeypatch: Any) -> None:
    with claude([[text("Hello.")]], monkeypatch):
        run = start(Chaser, "Say hello", user=alice)
        assert run.status == "queued"
        execute(run.pk)
        run.refresh_from_db()
        assert (run.status, run.answer) == ("done", "Hello.")
        other = start(Chaser, "Say hello", user=alice)
        assert execute(other.id).status == "done"
        execute(other.id)  # Delivered twice.


def test_an_agent_declared_in_a_function_with_few_words(alice: User, monkeypatch: Any) -> None:
    class Tiny(LifecycleAgent):
        lifecycle = Invoice

    with claude([[use("list_invoices")], [text("Ok.")]], monkeypatch) as fake:
        invoice(client_name="Mallory")
        run = Tiny.run("List", user=alice)
        assert run.status == "done"
        assert "Mallory" not in "".join(fake.raw)
        assert fake.bodies[0]["model"] == "claude-sonnet-5-5"


def test_a_lifecycle_without_an_agent_class_has_one(root: User, monkeypatch: Any) -> None:
    PlainInvoice.objects.create(amount=3, client_name="x")
    script = [[use("list_invoices")], [text("Ok.")]]
    with claude(lambda body: script[len(body["messages"]) > 1], monkeypatch) as fake:
        for agent in ("testapp.invoice", "testapp.Invoice", PlainInvoice):
            run = start(agent, "List", user=root)
            execute(run.pk)
            run.refresh_from_db()
            assert run.status == "done"
            assert fake.results()[-1]["records"]


def test_a_shell_does_it(alice: User, monkeypatch: Any, capsys: Any) -> None:
    with claude([[text("From the shell.")]], monkeypatch):
        call_command("lifecycle_agent", "billing.invoice", "Hello", user="alice")
    assert "From the shell." in capsys.readouterr().out


@pytest.mark.parametrize(
    "agent", ["billing.invoice", "", "billing.Invoice", "InvoiceAgent", "billing.InvoiceAgent"]
)
def test_a_run_made_by_hand_serves_dispatch(alice: User, agent: str) -> None:
    record = invoice()
    run = AgentRun.objects.create(agent=agent, user=alice) if agent else AgentRun.objects.create(user=alice)
    if not agent:
        return
    found = dispatch(run, "list_invoices", {}, "c1")
    assert found.get("success", True) is not False, found
    assert dispatch(run, "get_invoice", {"id": record.pk}, "c2")["record"]["state"] == "draft"
    assert dispatch(run, "get_invoice", {"id": str(record.pk)}, call_id="c3")["record"]["state"] == "draft"
    assert dispatch(run, "get_invoice", {"id": 99999}, "c4")["code"] == "not_found"
    assert dispatch(run, "nonsense", {}, "c5")["code"] == "unknown_tool"
    wrong = dispatch(run, "get_invoice", {"id": record.pk, "user": "root"}, "c6")
    assert wrong["success"] is False
    assert wrong["code"] == "unknown_argument"
    assert "user" in str(wrong)
    missing = dispatch(run, "send_invoice_invoice", {"id": record.pk}, "c7")
    assert missing["success"] is False
    assert missing["code"] == "invalid_arguments"
    stale = dispatch(run, "send_invoice_invoice", {"id": record.pk, "expected_state": "sent"}, "c8")
    assert stale["success"] is False
    assert stale["code"] == "stale_state"
    assert stale["current_state"] == "draft"
    assert set(stale) >= {"success", "code", "reasons", "current_state"}


def test_an_agent_as_actor_has_its_policy(alice: User, root: User) -> None:
    record = invoice(state="sent")
    run = start(Chaser, "x", user=alice)
    with pytest.raises(ApprovalRequired):
        record.cancel(actor=Agent(run), reason="x")
    decision = record.decide("cancel", actor=Agent(run), arguments={"reason": "x"})
    assert [d.code for d in decision.denials] == ["approval_required"]
    with pytest.raises(AccessDenied):
        record.fire("pay", actor=Agent(run), arguments={"paid_on": "2026-01-01"})
    run = start(Chaser, "x", user=root)
    with pytest.raises(AccessDenied):
        record.fire("pay", actor=Agent(run), arguments={"paid_on": "2026-01-01"})
    record.fire("mark_overdue", actor=Agent(run))
    assert record.state == "overdue"


def test_an_agent_of_a_run_with_few_fields(alice: User) -> None:
    record = PlainInvoice.objects.create(amount=3, client_name="x")
    run = AgentRun.objects.create(user=alice, agent="testapp.invoice", prompt="x", model="scripted/x")
    record.fire("send_invoice", actor=System("test"))
    with pytest.raises(ApprovalRequired):
        record.fire("pay", actor=Agent(run), arguments={"paid_on": "2026-01-01"})
    bare = AgentRun.objects.create(user=alice)
    with pytest.raises(LifecycleError):
        record.fire("pay", actor=Agent(bare), arguments={"paid_on": "2026-01-01"})
    alice.is_active = False
    alice.save()
    with pytest.raises(AccessDenied):
        record.fire("mark_overdue", actor=Agent(run))


def test_a_run_made_by_hand_waits_and_is_worked_on(alice: User, monkeypatch: Any) -> None:
    record = invoice(state="sent")
    run = AgentRun.objects.create(agent="billing.Chaser", user=alice, prompt="Cancel it")
    given = {"id": record.pk, "expected_state": "sent", "reason": "x"}
    assert dispatch(run, "cancel_invoice", given, "c1")["code"] == "approval_required"
    run.refresh_from_db()
    assert run.status == "waiting"
    run.proposals.get().decline(by=alice, reason="no")
    with claude([[text("Well.")]], monkeypatch):
        assert (execute(run.pk).status, execute(run.pk).answer) == ("done", "Well.")
