"""Our models: the invoice of the specification with a way back, and the same without its guard.

Must not know who measures what. Also the place where Django finds the peers' models.
"""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import models

from benchmarks.peer_models import Fsm2Invoice, Fsm2LoggedInvoice, MachineInvoice, ViewflowInvoice
from benchmarks.plain_models import PlainInvoice, PlainLog
from fsm_lifecycle import CRUD, Event, Role, State, guard
from fsm_lifecycle.models import LifecycleModel

__all__ = [
    "Fsm2Invoice",
    "Fsm2LoggedInvoice",
    "IntegerClaim",
    "Invoice",
    "MachineInvoice",
    "OwnedInvoice",
    "PlainInvoice",
    "PlainLog",
    "QuietClaim",
    "RolelessClaim",
    "StaffedInvoice",
    "TextClaim",
    "TimedTask",
    "TimedTaskWithEffect",
    "UnguardedInvoice",
    "UuidClaim",
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


class StaffedInvoice(InvoiceBase):
    """An invoice whose clerks may do everything with all of them."""

    class Meta:
        app_label = "benchmarks"

    class Lifecycle(Invoice.Lifecycle):
        clerk = Role("clerk", crud=CRUD.READ, may=[Invoice.Lifecycle.send_invoice, Invoice.Lifecycle.recall])
        cashier = Role("cashier", may=[Invoice.Lifecycle.pay])

        api_fields = ["amount", "client_name"]


class OwnedInvoice(InvoiceBase):
    """An invoice that whoever made it may send and recall: a grant on each record."""

    class Meta:
        app_label = "benchmarks"

    class Lifecycle(Invoice.Lifecycle):
        owner = Role("owner", may=[Invoice.Lifecycle.send_invoice, Invoice.Lifecycle.recall], default=True)
        cashier = Role("cashier", may=[Invoice.Lifecycle.pay])


class ClaimEvents:
    """Six events."""

    filed = State("filed", initial=True)
    examined = State("examined")
    approved = State("approved")
    paid = State("paid", terminal=True)
    rejected = State("rejected", terminal=True)

    examine = Event(filed, to=examined)
    approve = Event(examined, to=approved)
    pay = Event(approved, to=paid)
    reject = Event(filed, examined, to=rejected)
    refile = Event(examined, approved, to=filed)
    withdraw = Event(filed, to=rejected)


class ClaimLifecycle(ClaimEvents):
    """Six roles, five of which give READ."""

    owner = Role("owner", crud=CRUD.READ | CRUD.UPDATE, may=[ClaimEvents.refile, ClaimEvents.withdraw])
    examiner = Role("examiner", crud=CRUD.READ, may=[ClaimEvents.examine, ClaimEvents.reject])
    approver = Role("approver", crud=CRUD.READ, may=[ClaimEvents.approve, ClaimEvents.reject])
    cashier = Role("cashier", may=[ClaimEvents.pay])
    auditor = Role("auditor", crud=CRUD.READ)
    manager = Role("manager", crud=CRUD.ALL, may=[ClaimEvents.examine, ClaimEvents.approve, ClaimEvents.pay])


class IntegerClaim(InvoiceBase):
    """A claim with Django's own key."""

    class Meta:
        app_label = "benchmarks"

    class Lifecycle(ClaimLifecycle):
        pass


class QuietClaim(InvoiceBase):
    """The same; on these there are hardly any grants."""

    class Meta:
        app_label = "benchmarks"

    class Lifecycle(ClaimLifecycle):
        pass


class UuidClaim(InvoiceBase):
    """The same with a UUID."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)

    class Meta:
        app_label = "benchmarks"

    class Lifecycle(ClaimLifecycle):
        pass


class TextClaim(InvoiceBase):
    """The same with a text."""

    id = models.CharField(primary_key=True, max_length=40)

    class Meta:
        app_label = "benchmarks"

    class Lifecycle(ClaimLifecycle):
        pass


class RolelessClaim(InvoiceBase):
    """The same events without any role."""

    class Meta:
        app_label = "benchmarks"

    class Lifecycle(ClaimEvents):
        pass


def note_lateness(task: Any, firing: Any) -> None:
    """An effect that writes to the record."""
    task.note = "late"
    task.save(update_fields=["note"])


class TimedTaskBase(LifecycleModel):
    """What every task here holds."""

    note = models.CharField(max_length=20, default="")

    class Meta:
        abstract = True


class TimedTask(TimedTaskBase):
    """An event that fires by itself."""

    class Meta:
        app_label = "benchmarks"

    class Lifecycle:
        waiting = State("waiting", initial=True)
        late = State("late", terminal=True)

        lapse = Event(waiting, to=late, after=timedelta(hours=1))


class TimedTaskWithEffect(TimedTaskBase):
    """One with an effect inside the transaction, so that each fires in its own."""

    class Meta:
        app_label = "benchmarks"

    class Lifecycle:
        waiting = State("waiting", initial=True)
        late = State("late", terminal=True)

        lapse = Event(waiting, to=late, after=timedelta(hours=1), effects=[note_lateness])
