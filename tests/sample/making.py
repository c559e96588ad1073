"""Owns the people and records that tests of the sample begin with."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.contrib.auth import get_user_model
from django.utils import timezone

from fsm_lifecycle import System
from fsm_lifecycle.access import grant_role
from sample_project.billing.models import Contract, ExpenseReport, Invoice
from sample_project.helpdesk.models import Ticket

SETUP = System("tests")
MODELS = (Ticket, Contract, Invoice, ExpenseReport)


def somebody(username: str, **roles: Any) -> Any:
    """A user with roles, each for all records of a model."""
    user = get_user_model().objects.create_user(username, is_staff=True)
    for role, model in roles.items():
        grant_role(user, role, on=model, by=SETUP)
    return user


def a_ticket(number: int = 1, *events: str) -> Ticket:
    ticket: Ticket = Ticket.objects.create(
        number=number,
        opened_at=timezone.now(),
        customer="Customer 1",
        product="Product 1",
        workgroup="Workgroup 1",
        service_level=1,
        service_type=1,
        responsible_section=1,
        support_section=1,
    )
    for event in events:
        ticket.fire(event, actor=SETUP)
    return ticket


def an_invoice(writer: Any, number: str = "2026-001", **fields: Any) -> Invoice:
    invoice: Invoice = Invoice.objects.create(
        number=number,
        client_name="Ferrara Logistica",
        client_email="office@example.com",
        amount=Decimal(100),
        due_on=timezone.localdate() + timedelta(days=14),
        created_by=writer,
        **fields,
    )
    return invoice
