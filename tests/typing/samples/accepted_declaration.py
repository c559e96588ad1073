"""The declaration as the documentation writes it, typed throughout."""

from __future__ import annotations

from datetime import timedelta

from django import forms
from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from fsm_lifecycle import (
    ANY,
    CRUD,
    Branch,
    Event,
    Firing,
    Role,
    Snapshot,
    State,
    effect,
    fires,
    guard,
    on_commit,
)
from fsm_lifecycle.models import LifecycleManager, LifecycleModel, LifecycleQuerySet


@guard("The invoice total must be positive.")
def has_positive_total(invoice: Invoice) -> bool:
    return invoice.amount > 0


@guard(_("Write the client's name first."), label=_("Has a client"))
def has_client(invoice: Invoice) -> str | bool:
    return True if invoice.client_name else "Write the client's name first."


@guard("Payments are not taken in the future.")
def not_in_the_future(invoice: Invoice, firing: Firing) -> bool | None:
    return bool(firing.arguments["paid_on"].year < 2100) or None


def post_to_ledger(invoice: Invoice, firing: Firing) -> None:
    print(invoice.amount, firing.source, firing.target, firing.actor)


@effect(
    "Sends one e-mail to the client",
    describe=lambda invoice: f"Sends one e-mail to {invoice.client_name}",
    outside=True,
)
def email_client(invoice: Invoice, firing: Firing) -> None:
    print(invoice.client_name)


class PaymentForm(forms.Form):
    paid_on = forms.DateField()


class InvoiceManager(LifecycleManager["Invoice"]):
    def largest(self) -> Invoice | None:
        return self.in_state("sent").order_by("-amount").first()


class Invoice(LifecycleModel):
    amount = models.DecimalField(max_digits=12, decimal_places=2)
    client_name = models.CharField(max_length=200)
    paid_on = models.DateField(null=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)

    objects = InvoiceManager()

    class Meta:
        app_label = "samples"

    class Lifecycle:
        draft = State("draft", label=_("Draft"), initial=True)
        sent = State("sent", stuck_after=timedelta(days=30))
        overdue = State("overdue", tone="alert", stuck_after=None)
        paid = State("paid", terminal=True, description="The money is here.")
        cancelled = State("cancelled", terminal=True, tone="stop")

        send_invoice = Event(
            draft,
            to=sent,
            guards=[has_positive_total, has_client],
            effects=[post_to_ledger, on_commit(email_client)],
            label=_("Send"),
        )
        pay = Event(
            sent,
            overdue,
            to=paid,
            arguments=PaymentForm,
            stores=["paid_on"],
            guards=[not_in_the_future],
            effects=[
                fires(lambda invoice: invoice.contract, "activate", on_failure="log", model="x.Contract")
            ],
        )
        mark_overdue = Event(sent, to=overdue, after=timedelta(days=30))
        cancel = Event(ANY, to=cancelled, hidden=True, not_by=[send_invoice])
        refund = Event(paid, to=Branch((has_client, cancelled), otherwise=draft), compensating=True)

        owner = Role("owner", crud=CRUD.ALL, may=[send_invoice, cancel], default=True)
        approver = Role("approver", crud=CRUD.READ | CRUD.UPDATE, may=[pay])
        viewer = Role("viewer", crud=[CRUD.READ])

        snapshot = Snapshot.terminal("amount", "client_name")


class DisputedInvoice(Invoice):
    class Meta:
        proxy = True
        app_label = "samples"

    class Lifecycle(Invoice.Lifecycle):
        disputed = State("disputed")
        dispute = Event(Invoice.Lifecycle.sent, to=disputed)
        send_invoice = Invoice.Lifecycle.send_invoice.extend(disputed, guards=[has_client])


class Renamed(LifecycleModel):
    lifecycle_field = "status"
    status: str

    class Meta:
        app_label = "samples"

    class Lifecycle:
        one = State("one", initial=True)
        two = State("two", terminal=True)
        go = Event(one, to=two)
        snapshot = Snapshot.interval(timedelta(hours=1))


# The decorators leave a function what it was.
passed: bool = has_positive_total(Invoice())
answered: str | bool = has_client(Invoice())

largest: Invoice | None = Invoice.objects.largest()
sent: LifecycleQuerySet[Invoice] = Invoice.objects.in_state("sent")
