"""Our models: the invoice of the specification with a way back, and the same without its guard.

Must not know who measures what. Also the place where Django finds the peers' models.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models

from benchmarks.peer_models import Fsm2Invoice, Fsm2LoggedInvoice, MachineInvoice, ViewflowInvoice
from benchmarks.plain_models import PlainInvoice, PlainLog
from fsm_lifecycle import Event, State, guard
from fsm_lifecycle.models import LifecycleModel

__all__ = [
    "Fsm2Invoice",
    "Fsm2LoggedInvoice",
    "Invoice",
    "MachineInvoice",
    "PlainInvoice",
    "PlainLog",
    "UnguardedInvoice",
    "ViewflowInvoice",
]


@guard("The invoice total must be positive.")
def has_positive_total(invoice: Any) -> bool:
    """The guard everyone checks."""
    return bool(invoice.amount > 0)


class InvoiceBase(LifecycleModel):
    """The columns of every invoice here."""

    amount = models.DecimalField(max_digits=12, decimal_places=2)
    client_name = models.CharField(max_length=200)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        abstract = True


class Invoice(InvoiceBase):
    """The invoice as the specification has it, with `recall` so that it can be sent again."""

    class Meta:
        app_label = "benchmarks"

    class Lifecycle:
        draft = State("draft", initial=True)
        sent = State("sent")
        overdue = State("overdue")
        paid = State("paid", terminal=True)
        cancelled = State("cancelled", terminal=True)

        send_invoice = Event(draft, to=sent, guards=[has_positive_total])
        recall = Event(sent, to=draft, guards=[has_positive_total])
        pay = Event(sent, overdue, to=paid)
        mark_overdue = Event(sent, to=overdue)
        cancel = Event(draft, sent, to=cancelled)


class UnguardedInvoice(InvoiceBase):
    """The same loop without a guard."""

    class Meta:
        app_label = "benchmarks"

    class Lifecycle:
        draft = State("draft", initial=True)
        sent = State("sent")
        cancelled = State("cancelled", terminal=True)

        send_invoice = Event(draft, to=sent)
        recall = Event(sent, to=draft)
        cancel = Event(draft, sent, to=cancelled)
