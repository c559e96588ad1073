"""What the agents' examples do for the people that `demo_users` makes, on the records that it makes."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command

from fsm_lifecycle.agents.runs import run_to_the_end
from fsm_lifecycle.models import Proposal
from sample_project import helper
from sample_project.billing.agents import InvoiceAgent, OfficeAgent
from sample_project.billing.models import Invoice

pytestmark = [pytest.mark.once, pytest.mark.django_db]


@pytest.fixture
def clara(settings: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> User:
    settings.FSM_LIFECYCLE = {"AGENT_MODEL": "scripted/sample_project.helper.helper", "DISPATCH": "command"}
    monkeypatch.setattr(helper.helper, "pace", 0)
    call_command("demo_users")
    return User.objects.get(username="clara")


def test_an_overdue_invoice_is_found_and_marked(clara: User) -> None:
    run = run_to_the_end(InvoiceAgent, InvoiceAgent.examples[0], user=clara)
    assert run.answer == "I marked 1 invoice as overdue: DEMO-5."
    assert Invoice.objects.get(number="DEMO-6").state == "sent"


def test_what_clients_owe_is_told_with_sums(clara: User) -> None:
    run = run_to_the_end(InvoiceAgent, InvoiceAgent.examples[1], user=clara)
    assert "Ferrara Logistica: 2010 EUR on 2 invoices" in run.answer
    assert "Vela Sport: 505 EUR on 2 invoices" in run.answer


@pytest.mark.parametrize(
    ("agent", "example", "event"), [(InvoiceAgent, 2, "send_invoice"), (OfficeAgent, 1, "submit")]
)
def test_what_is_risky_waits_for_a_person_who_may_say_yes(
    clara: User, agent: Any, example: int, event: str
) -> None:
    run = run_to_the_end(agent, agent.examples[example], user=clara)
    assert run.status == "waiting", run.answer
    proposal = Proposal.objects.get(run=run)
    assert proposal.event == event
    proposal.approve(by=clara)


def test_a_list_is_told_in_words(clara: User) -> None:
    run = run_to_the_end(OfficeAgent, OfficeAgent.examples[0], user=clara)
    assert run.answer.startswith("You see 1 expense report that are manager review:\n- Trade fair in Milan")
