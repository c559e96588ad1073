"""The sample's helper, which needs no key, does what the agents' examples ask for, through their tools."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from fsm_lifecycle.agents.proposal import Proposal
from fsm_lifecycle.agents.run import AgentRun
from fsm_lifecycle.agents.runs import execute, run_to_the_end, say
from sample_project import helper
from sample_project.billing.agents import InvoiceAgent, OfficeAgent
from sample_project.billing.models import Contract, ExpenseReport, Invoice
from sample_project.helpdesk.agents import TicketAgent
from sample_project.helpdesk.models import Ticket
from tests.sample.making import a_ticket, an_invoice, somebody

pytestmark = [pytest.mark.once, pytest.mark.django_db]


@pytest.fixture(autouse=True)
def without_a_key(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.FSM_LIFECYCLE = {"AGENT_MODEL": "scripted/sample_project.helper.helper", "DISPATCH": "command"}
    monkeypatch.setattr(helper.helper, "pace", 0)


@pytest.fixture
def alice() -> Any:
    return somebody("alice", clerk=Invoice)


def calls_of(run: AgentRun) -> list[str]:
    return [event.payload["name"] for event in run.events.filter(kind="tool_call").order_by("seq")]


def late(alice: Any, number: str, days: int) -> Invoice:
    invoice = an_invoice(alice, number)
    invoice.fire("send_invoice", actor=alice)
    Invoice.objects.filter(pk=invoice.pk).update(due_on=timezone.localdate() - timedelta(days=days))
    return invoice


def test_it_marks_invoices_that_are_long_past_their_due_date(alice: Any) -> None:
    old, recent = late(alice, "2026-001", 45), late(alice, "2026-002", 5)
    run = run_to_the_end(InvoiceAgent, InvoiceAgent.examples[0], user=alice)
    assert run.status == "done"
    assert calls_of(run) == ["overdue", "mark_overdue_invoice"]
    assert run.answer == "I marked 1 invoice as overdue: 2026-001."
    assert [Invoice.objects.get(pk=one.pk).state for one in (old, recent)] == ["overdue", "sent"]


def test_it_asks_for_a_persons_yes_and_goes_on_with_it(alice: Any) -> None:
    invoice = late(alice, "2026-0041", 5)
    run = run_to_the_end(InvoiceAgent, "Cancel invoice 2026-0041: the order was withdrawn.", user=alice)
    assert (run.status, calls_of(run)) == ("waiting", ["list_invoices", "get_invoice", "cancel_invoice"])
    Proposal.objects.get(run=run).approve(by=somebody("bruno", clerk=Invoice))
    done = execute(run.pk)
    assert done.answer == "Invoice 2026-0041: done, it is cancelled now."
    entry = invoice.log.last()
    assert entry is not None
    assert entry.arguments["reason"] == "the order was withdrawn."


def test_it_takes_a_ticket_in_charge() -> None:
    bob = somebody("bob", agent=Ticket)
    ticket = a_ticket(7)
    run = run_to_the_end(TicketAgent, "Take the oldest new ticket in charge.", user=bob)
    assert calls_of(run) == ["list_tickets", "get_ticket", "take_in_charge_ticket"]
    ticket.refresh_from_db()
    assert (ticket.state, ticket.assignee) == ("in_progress", bob)
    assert run.answer == "Ticket 7: done, it is in progress now."


def test_it_says_what_it_has_to_be_told() -> None:
    bob = somebody("bob", agent=Ticket)
    ticket = a_ticket(7)
    run = run_to_the_end(TicketAgent, "Assign a seriousness to ticket 7", user=bob)
    assert "To do that I need to be told: seriousness" in run.answer
    second = execute(say(run, "Assign ticket 7 the seriousness 2").pk)
    assert second.answer == "Ticket 7: done, it is classified now."
    ticket.refresh_from_db()
    assert ticket.seriousness == 2


@pytest.mark.parametrize(
    ("agent", "prompt"),
    [(agent, prompt) for agent in (InvoiceAgent, OfficeAgent, TicketAgent) for prompt in agent.examples],
)
def test_every_example_gets_an_answer_also_where_there_is_nothing(agent: Any, prompt: str) -> None:
    run = run_to_the_end(agent, prompt, user=somebody("nobody"))
    assert run.status == "done", run.stop_reason
    assert run.answer


def test_it_lists_what_the_user_sees(alice: Any) -> None:
    an_invoice(alice, "2026-001")
    run = run_to_the_end(InvoiceAgent, "Which invoices are there?", user=alice)
    assert run.answer == "You see 1 invoice:\n- Invoice 2026-001: draft"


def test_it_adds_up_what_clients_owe(alice: Any) -> None:
    late(alice, "2026-001", 5)
    an_invoice(alice, "2026-002")
    run = run_to_the_end(InvoiceAgent, "Which clients owe us most?", user=alice)
    invoice = Invoice.objects.get(number="2026-001")
    assert run.answer == f"What clients owe, the most first:\n- {invoice.client_name}: 100 EUR on 1 invoice"


def test_it_finds_one_ticket_among_many_by_its_number() -> None:
    bob = somebody("bob", agent=Ticket)
    for number in range(1, 31):
        a_ticket(number)
    run = run_to_the_end(TicketAgent, "Take ticket 28 in charge.", user=bob)
    assert run.answer == "Ticket 28: done, it is in progress now."
    unknown = run_to_the_end(TicketAgent, "Take ticket 99 in charge.", user=bob)
    assert unknown.answer == "You see no ticket 99."
    none = run_to_the_end(TicketAgent, "Take the oldest classified ticket in charge.", user=bob)
    assert none.answer == "You see no tickets that are classified."


def test_it_submits_ones_reports() -> None:
    eva = somebody("eva", employee=ExpenseReport, auditor=Contract)
    report = ExpenseReport.objects.create(purpose="Train", amount=90, created_by=eva)
    run = run_to_the_end(OfficeAgent, "Submit my reports that are still drafts.", user=eva)
    report.refresh_from_db()
    assert report.state in ("approved", "draft"), run.answer
    assert calls_of(run) == ["list_expensereports", "get_expensereport", "submit_expensereport"]
