"""An agent for invoices, and what the acceptance tests of agents work on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User

from fsm_lifecycle import System
from fsm_lifecycle.access import grant_role
from fsm_lifecycle.agents import Budget, LifecycleAgent, registry, tool
from sample_project.billing.models import Invoice


def invoice(number: str = "1", state: str = "draft", **more: Any) -> Invoice:
    """An invoice that nobody owns."""
    told = {"client_name": "Ada", "client_email": "secret@example.com", "amount": 5, "due_on": "2026-01-01"}
    found = Invoice.objects.create(number=number, **{**told, **more})
    if state != "draft":
        found.send_invoice(actor=System("test"))
    found.refresh_from_db()
    return found


def agent(**members: Any) -> type[LifecycleAgent]:
    """An agent for invoices as a test declares it."""
    return type("TestedAgent", (LifecycleAgent,), {"lifecycle": Invoice, "__module__": __name__, **members})


class Chaser(LifecycleAgent, register=False):
    lifecycle = Invoice
    model = "anthropic/claude-sonnet-5-5"
    instructions = "Chase overdue invoices politely."
    events = ["mark_overdue", "cancel", "send_invoice"]
    fields = ["number", "client_name", "amount", "due_on"]
    approval = {"cancel": "always", "mark_overdue": "never", "send_invoice": "never"}
    budget = Budget(turns=5, tool_calls=10, tokens=200_000, seconds=300)

    @tool
    def overdue(self, run, days: int = 0) -> list[dict]:  # type: ignore[no-untyped-def,type-arg]
        """Sent invoices past their due date."""
        return [{"id": i.pk, "amount": i.amount} for i in Invoice.objects.in_state("sent")]


@pytest.fixture
def known() -> Iterator[None]:
    """Agents that a test declares are known to it alone."""
    before = registry.declared()
    registry.register(Chaser)
    yield
    for one in registry.declared():
        if one not in before:
            registry.unregister(one)


@pytest.fixture
def alice() -> User:
    """A clerk."""
    alice = User.objects.create_user("alice")
    grant_role(alice, "clerk", on=Invoice, by=System("test"))
    return alice


@pytest.fixture
def root() -> User:
    return User.objects.create_superuser("root", password="x")
