"""Models of the test suite. One for each way in which a lifecycle can be declared."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.db import models

from fsm_lifecycle import (
    ANY,
    Branch,
    Event,
    Firing,
    Retention,
    Snapshot,
    State,
    effect,
    fires,
    guard,
    on_commit,
)
from fsm_lifecycle.models import LifecycleModel

#: What effects did, for tests to look at. Cleared by the ``journal`` fixture.
JOURNAL: list[tuple[Any, ...]] = []


@guard("The invoice total must be positive.")
def has_positive_total(invoice: Invoice) -> bool:
    return invoice.amount > 0


@guard("Nobody pays for nobody.", label="Has a client")
def has_client(invoice: Invoice) -> str | bool:
    return True if invoice.client_name else "Write the client's name first."


@effect("Posts the invoice to the ledger")
def post_to_ledger(invoice: Invoice, firing: Firing) -> None:
    JOURNAL.append(("posted", invoice.pk, invoice.state, firing.source, firing.target))


def email_client(invoice: Invoice, firing: Firing) -> None:
    """Sends one e-mail to the client."""
    JOURNAL.append(("mailed", invoice.pk, invoice.state))


class PaymentForm(forms.Form):
    paid_on = forms.DateField()
    note = forms.CharField(required=False, max_length=40)


@guard("Payments are not taken in the future.")
def not_in_the_future(invoice: Invoice, firing: Firing) -> bool:
    return bool(firing.arguments["paid_on"].year < 2100)


class Invoice(LifecycleModel):
    amount = models.DecimalField(max_digits=12, decimal_places=2, default=0)
    client_name = models.CharField(max_length=200, default="")
    paid_on = models.DateField(null=True)
    extra = models.JSONField(default=dict)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["client_name"], name="testapp_invoice_client")]

    class Lifecycle:
        draft = State("draft", initial=True)
        sent = State("sent")
        overdue = State("overdue", tone="alert")
        paid = State("paid", terminal=True)
        cancelled = State("cancelled", terminal=True, tone="stop")

        send_invoice = Event(
            draft,
            to=sent,
            guards=[has_positive_total, has_client],
            effects=[post_to_ledger, on_commit(email_client)],
        )
        pay = Event(
            sent, overdue, to=paid, arguments=PaymentForm, stores=["paid_on"], guards=[not_in_the_future]
        )
        mark_overdue = Event(sent, to=overdue)
        remind = Event(overdue, to=overdue)
        cancel = Event(draft, sent, to=cancelled)
        refund = Event(paid, to=cancelled, compensating=True)

        snapshot = Snapshot.terminal("amount", "client_name", "paid_on")

    def __str__(self) -> str:
        return f"Invoice {self.pk}"


class DisputedInvoice(Invoice):
    """A proxy child that refines its parent's table."""

    class Meta:
        proxy = True

    class Lifecycle(Invoice.Lifecycle):
        disputed = State("disputed")
        dispute = Event(Invoice.Lifecycle.sent, to=disputed)
        settle = Event(disputed, to=Invoice.Lifecycle.sent)
        send_invoice = Invoice.Lifecycle.send_invoice.extend(guards=[])


class Light(LifecycleModel):
    """No guards, no effects: the plainest lifecycle there is, with a way back."""

    name = models.CharField(max_length=50, default="")

    class Lifecycle:
        off = State("off", initial=True)
        on = State("on")
        broken = State("broken", terminal=True)

        switch_on = Event(off, to=on)
        switch_off = Event(on, to=off)
        blink = Event(on, to=on)
        smash = Event(ANY, to=broken)

        retention = Retention(after=timedelta(days=365), states=[broken])


class Door(LifecycleModel):
    """A text key of the user's own, a renamed state column."""

    lifecycle_field = "position"

    code = models.CharField(max_length=40, primary_key=True)

    class Lifecycle:
        closed = State("closed", initial=True)
        open = State("open")

        open_up = Event(closed, to=open)
        close = Event(open, to=closed)


class Parcel(LifecycleModel):
    """A UUID key made by the application."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    weight = models.FloatField(default=1.0)

    class Lifecycle:
        packed = State("packed", initial=True)
        shipped = State("shipped")
        delivered = State("delivered", terminal=True)

        ship = Event(packed, to=shipped)
        deliver = Event(shipped, to=delivered)

        snapshot = Snapshot.every()
        retention = Retention(after=timedelta(days=365), states=[delivered])


class Document(LifecycleModel):
    """The base of a multi-table family."""

    title = models.CharField(max_length=100)

    class Lifecycle:
        draft = State("draft", initial=True)
        final = State("final", terminal=True)

        finish = Event(draft, to=final)

        retention = Retention(after=timedelta(days=365), states=[final])


class Report(Document):
    """A child that shares its parent's table."""

    pages = models.IntegerField(default=1)


class Treaty(Document):
    """A child with a table of its own."""

    parties = models.IntegerField(default=2)

    class Lifecycle(Document.Lifecycle):
        signed = State("signed")
        sign = Event(Document.Lifecycle.draft, to=signed)
        finish = Document.Lifecycle.finish.extend(signed)
        retention = Retention(after=timedelta(days=3650), states=[Document.Lifecycle.final])


@guard("Above the director's limit.")
def needs_director(expense: Expense) -> bool:
    return expense.amount > 1000


@guard("Above the manager's limit.")
def needs_manager(expense: Expense) -> bool:
    return expense.amount > 100


class Expense(LifecycleModel):
    """A branch."""

    amount = models.IntegerField(default=0)

    class Lifecycle:
        draft = State("draft", initial=True)
        director_review = State("director_review")
        manager_review = State("manager_review")
        approved = State("approved", terminal=True)

        submit = Event(
            draft,
            to=Branch((needs_director, director_review), (needs_manager, manager_review), otherwise=approved),
        )
        approve = Event(director_review, manager_review, to=approved)


class Contract(LifecycleModel):
    class Lifecycle:
        pending = State("pending", initial=True)
        active = State("active")
        ended = State("ended", terminal=True)

        activate = Event(pending, to=active)
        end = Event(active, to=ended)


class Order(LifecycleModel):
    """Effects that fire on another record."""

    contract = models.ForeignKey(Contract, null=True, on_delete=models.CASCADE, related_name="orders")
    note = models.CharField(max_length=50, default="")

    class Lifecycle:
        open = State("open", initial=True)
        placed = State("placed")
        done = State("done", terminal=True)

        place = Event(
            open,
            to=placed,
            effects=[fires(lambda order: order.contract, "activate", model="testapp.Contract")],
        )
        finish = Event(
            placed,
            to=done,
            effects=[fires(lambda order: order.contract, "end", on_failure="log", model="testapp.Contract")],
        )


def ring_next(bell: Bell, firing: Firing) -> None:
    if bell.next_bell is not None:
        bell.next_bell.fire("ring", actor=firing.actor)


def misbehave(bell: Bell, firing: Firing) -> None:
    if bell.mischief == "raise":
        raise RuntimeError("a secret that nobody outside may read")
    if bell.mischief == "edit":
        bell.note = "left unsaved"
    if bell.mischief == "save":
        bell.note = "saved"
        bell.save(update_fields=["note"])


class Bell(LifecycleModel):
    """A chain of records that fire each other, and effects that misbehave."""

    next_bell = models.ForeignKey("self", null=True, on_delete=models.CASCADE)
    mischief = models.CharField(max_length=10, default="")
    note = models.CharField(max_length=20, default="")

    class Lifecycle:
        silent = State("silent", initial=True)
        ringing = State("ringing")

        ring = Event(silent, ringing, to=ringing, effects=[ring_next])
        hush = Event(ringing, to=silent, effects=[misbehave])
        still = Event(ringing, to=silent, effects=[on_commit(misbehave)])


class Sampled(LifecycleModel):
    """A snapshot at each third transition."""

    value = models.IntegerField(default=0)

    class Lifecycle:
        a = State("a", initial=True)
        b = State("b")
        there = Event(a, to=b)
        back = Event(b, to=a)
        snapshot = Snapshot.every_nth(3, "value")


# Imported so that Django finds them.
import tests.testapp.clocks  # noqa: E402
import tests.testapp.gates  # noqa: E402
import tests.testapp.offices  # noqa: E402
import tests.testapp.shapes  # noqa: E402, F401
