"""Owns what the tests of runs share: a fake model behind the real SDK, people, invoices, and an agent."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from fsm_lifecycle.agents import registry
from fsm_lifecycle.agents.budget import Budget
from fsm_lifecycle.agents.declaring import LifecycleAgent
from fsm_lifecycle.agents.loop import asking
from sample_project.billing.models import Invoice
from tests.fakes import FakeAnthropic
from tests.sample.making import an_invoice, somebody

MODEL = "anthropic/claude-sonnet-5-5"
NEVER = dict.fromkeys(("send_invoice", "mark_overdue", "pay", "cancel", "refund"), "never")


@pytest.fixture(autouse=True)
def settled(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing works beside the test, and nobody waits long for a second try."""
    settings.FSM_LIFECYCLE = {"DISPATCH": "command"}
    monkeypatch.setattr(asking, "PAUSES", (0.01, 0.01, 0.01))


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeAnthropic]:
    with FakeAnthropic() as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        yield server
    assert server.complaints == []


@pytest.fixture
def alice(db: None) -> Any:
    """Writes invoices and sends them."""
    return somebody("alice", clerk=Invoice)


@pytest.fixture
def sent(alice: Any) -> Invoice:
    """An invoice that is past its due date."""
    invoice = an_invoice(alice)
    invoice.fire("send_invoice", actor=alice)
    Invoice.objects.filter(pk=invoice.pk).update(due_on=timezone.localdate() - timedelta(days=40))
    return Invoice.objects.get(pk=invoice.pk)


Declaring = Callable[..., type[LifecycleAgent]]


@pytest.fixture
def declare() -> Iterator[Declaring]:
    """Declares an agent for the length of a test."""
    declared = []

    def make(**more: Any) -> type[LifecycleAgent]:
        body = {
            "lifecycle": Invoice,
            "key": "tests.chaser",
            "model": MODEL,
            "instructions": "Chase overdue invoices politely.",
            "fields": ["number", "client_name", "due_on"],
            "approval": NEVER,
            "budget": Budget(tokens=None),
            "__module__": __name__,
            **more,
        }
        agent = type("Chaser", (LifecycleAgent,), body)
        declared.append(agent)
        return agent

    yield make
    for agent in declared:
        registry.unregister(agent)


@pytest.fixture
def chaser(declare: Declaring) -> type[LifecycleAgent]:
    """An agent that needs nobody's approval."""
    return declare()


def marks(invoice: Invoice) -> dict[str, Any]:
    """The arguments with which the tool marks an invoice overdue."""
    return {"id": str(invoice.pk), "expected_state": "sent"}


def steps(invoice: Invoice) -> list[str]:
    """What happened to an invoice."""
    return [entry.event or entry.kind for entry in invoice.log]
