"""Each call once, and none beyond the budget, the kill switch and the stop button."""

from __future__ import annotations

from typing import Any

import pytest

from fsm_lifecycle.agents import Budget
from fsm_lifecycle.agents.dispatching import MOST_REFUSED
from fsm_lifecycle.models import AgentEvent, AgentRun
from sample_project.billing.models import Invoice
from tests.agents.core.desk import call, declared, run_of, state_of
from tests.sample.making import an_invoice

pytestmark = pytest.mark.django_db

SECRET = "swordfish-7f3a"
FREE = {"send_invoice": "never", "cancel": "never", "mark_overdue": "never", "pay": "never"}


@pytest.fixture
def secretive(alice: Any, bob: Any) -> tuple[Invoice, Invoice]:
    """Alice's invoice with a secret in every field but the number, and Bob's with one in every field."""
    hidden = {"client_name": SECRET, "client_email": f"{SECRET}@example.com"}
    mine = an_invoice(alice, "A-1")
    Invoice.objects.filter(pk=mine.pk).update(**hidden)
    theirs = an_invoice(bob, SECRET)
    Invoice.objects.filter(pk=theirs.pk).update(**hidden)
    return Invoice.objects.get(pk=mine.pk), Invoice.objects.get(pk=theirs.pk)


def test_the_same_call_delivered_again_fires_once(invoice: Invoice, alice: Any) -> None:
    with declared(lifecycle=Invoice, approval=FREE) as agent:
        run = run_of(agent, alice)
        given = {"id": str(invoice.pk), "expected_state": "draft"}
        first = call(run, "send_invoice_invoice", "toolu_1", **given)
        again = call(run, "send_invoice_invoice", "toolu_1", **given)
        run.refresh_from_db()
        # Another process may have died after the firing, before it had written the answer.
        AgentEvent.objects.filter(run=run, kind="tool_result").delete()
        third = call(run, "send_invoice_invoice", "toolu_1", **given)
    assert first["success"]
    assert first == again == third
    assert invoice.log.by_event("send_invoice").count() == 1
    assert run.tool_calls == 1


def test_a_call_cannot_be_made_again_with_other_arguments(invoice: Invoice, alice: Any) -> None:
    with declared(lifecycle=Invoice, approval=FREE) as agent:
        run = run_of(agent, alice)
        call(run, "get_invoice", "toolu_1", id=str(invoice.pk))
        answer = call(run, "send_invoice_invoice", "toolu_1", id=str(invoice.pk), expected_state="draft")
    assert answer["code"] == "call_conflict"
    assert state_of(invoice) == "draft"


def test_the_same_name_of_a_call_in_another_run_is_another_call(alice: Any) -> None:
    one, two = an_invoice(alice, "A-1"), an_invoice(alice, "A-2")
    with declared(lifecycle=Invoice, approval=FREE) as agent:
        for record in (one, two):
            given = {"id": str(record.pk), "expected_state": "draft"}
            assert call(run_of(agent, alice), "send_invoice_invoice", "toolu_1", **given)["success"]


def test_strange_names_of_calls_are_borne(invoice: Invoice, alice: Any) -> None:
    with declared(lifecycle=Invoice) as agent:
        run = run_of(agent, alice)
        for name in ("x" * 10_000, "\x00", "'; DROP TABLE", "Ω", " "):
            assert call(run, "get_invoice", name, id=str(invoice.pk))["success"]
            assert call(run, "get_invoice", name, id=str(invoice.pk))["success"]
    assert run.events.filter(kind="tool_result").count() == 5


def test_a_model_that_never_stops_calling_is_stopped(invoice: Invoice, alice: Any) -> None:
    with declared(lifecycle=Invoice, budget=Budget(tool_calls=3)) as agent:
        run = run_of(agent, alice)
        codes = [call(run, "get_invoice", id=str(invoice.pk)).get("code") for _ in range(5)]
    run.refresh_from_db()
    assert codes == [None, None, None, "tool_calls", "tool_calls"]
    assert run.tool_calls == 3


def test_the_kill_switch_stops_every_tool(invoice: Invoice, alice: Any, settings: Any) -> None:
    with declared(lifecycle=Invoice, approval=FREE) as agent:
        run = run_of(agent, alice)
        settings.FSM_LIFECYCLE = {"AGENTS_ENABLED": False}
        given = {"id": str(invoice.pk), "expected_state": "draft"}
        assert call(run, "send_invoice_invoice", "toolu_1", **given)["code"] == "disabled"
        settings.FSM_LIFECYCLE = {}
        assert call(run, "send_invoice_invoice", "toolu_1", **given)["success"]


@pytest.mark.parametrize(
    "how", [{"stop_requested": True}, {"status": "stopped"}, {"status": "failed"}], ids=str
)
def test_a_run_that_was_stopped_calls_nothing(how: dict[str, Any], invoice: Invoice, alice: Any) -> None:
    with declared(lifecycle=Invoice, approval=FREE) as agent:
        run = run_of(agent, alice)
        AgentRun.objects.filter(pk=run.pk).update(**how)
        answer = call(run, "send_invoice_invoice", id=str(invoice.pk), expected_state="draft")
    assert answer["code"] == "stopped"
    assert state_of(invoice) == "draft"


def test_a_call_that_is_not_let_in_is_on_record(invoice: Invoice, alice: Any, settings: Any) -> None:
    with declared(lifecycle=Invoice, approval=FREE) as agent:
        run = run_of(agent, alice)
        given = {"id": str(invoice.pk)}
        settings.FSM_LIFECYCLE = {"AGENTS_ENABLED": False}
        for _ in range(2):
            assert call(run, "get_invoice", "toolu_1", **given)["code"] == "disabled"
        kept = run.events.get()
        assert (kept.kind, kept.call, kept.payload["name"], kept.payload["code"]) == (
            "refused",
            "toolu_1",
            "get_invoice",
            "disabled",
        )
        settings.FSM_LIFECYCLE = {}
        assert call(run, "get_invoice", "toolu_1", **given)["success"]
        AgentRun.objects.filter(pk=run.pk).update(stop_requested=True)
        for number in range(MOST_REFUSED + 5):
            assert call(run, "get_invoice", f"late {number}", **given)["code"] == "stopped"
    assert run.events.filter(kind="refused").count() == MOST_REFUSED
