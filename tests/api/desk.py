"""Owns the people and records of the sample that the API's tests ask about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fsm_lifecycle.access import grant_role
from sample_project.billing.models import Contract, ExpenseReport, Invoice
from tests.sample.making import SETUP, an_invoice, somebody

PAY = {"arguments": {"paid_on": "2026-11-01"}}


@dataclass
class Desk:
    """A clerk who writes invoices, an approver who is paid, an owner, an auditor, and a stranger."""

    clara: Any
    paul: Any
    audrey: Any
    stranger: Any
    invoice: Invoice

    @property
    def address(self) -> str:
        """The invoice's."""
        return f"/api/billing.invoice/{self.invoice.pk}/"

    def event(self, name: str) -> str:
        """The address of an event of the invoice."""
        return f"{self.address}events/{name}/"

    def sent(self) -> Desk:
        """The same, with the invoice sent by the clerk."""
        self.invoice.fire("send_invoice", actor=self.clara)
        return self


def furnished() -> Desk:
    """The desk, in an empty database."""
    clara = somebody("clara", clerk=Invoice)
    paul = somebody("paul", approver=Invoice)
    grant_role(paul, "approver", on=Contract, by=SETUP)
    grant_role(clara, "employee", on=ExpenseReport, by=SETUP)
    audrey = somebody("audrey", auditor=Invoice)
    return Desk(clara, paul, audrey, somebody("stranger"), an_invoice(clara))
