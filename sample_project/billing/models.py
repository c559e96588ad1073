"""Contracts, the invoices that activate them, and expense reports; each with its lifecycle."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from django.conf import settings
from django.core.mail import send_mail
from django.db import models
from django.utils import timezone

from fsm_lifecycle import (
    CRUD,
    Branch,
    Event,
    Firing,
    Retention,
    Role,
    Snapshot,
    State,
    effect,
    fires,
    guard,
    on_commit,
)
from fsm_lifecycle.models import LifecycleModel
from sample_project.billing.forms import PaymentForm, ReasonForm

#: How long the law has accounts kept.
TEN_YEARS = timedelta(days=3653)


class Contract(LifecycleModel):
    """What a client and we agreed on. Its first paid invoice makes it active."""

    client_name = models.CharField(max_length=200)
    starts_on = models.DateField(default=timezone.localdate)
    ends_on = models.DateField(null=True, blank=True, help_text="On this day it ends by itself.")

    def __str__(self) -> str:
        return f"Contract {self.pk} with {self.client_name}"

    class Lifecycle:
        offered = State("offered", initial=True, tone="wait", stuck_after=timedelta(days=60))
        active = State("active", stuck_after=None, description="Runs until somebody ends it.")
        suspended = State("suspended", tone="alert", stuck_after=timedelta(days=30))
        ended = State("ended", terminal=True)
        declined = State("declined", terminal=True, tone="stop")

        activate = Event(
            offered,
            active,
            suspended,
            to=active,
            description="A payment arrived. An active contract stays active.",
        )
        suspend = Event(active, to=suspended, arguments=ReasonForm)
        end = Event(active, suspended, to=ended, at="ends_on")
        decline = Event(offered, to=declined)

        clerk = Role(
            "clerk",
            crud=CRUD.CREATE | CRUD.READ | CRUD.UPDATE,
            may=[suspend, end, decline],
            description="Writes contracts and ends them.",
        )
        # A payment fires this event in the name of who takes it, so they need the right here as well.
        approver = Role(
            "approver",
            crud=CRUD.READ,
            may=[activate],
            description="Takes payments, and they activate contracts.",
        )
        auditor = Role("auditor", crud=CRUD.READ, description="Reads everything and changes nothing.")

        retention = Retention(after=TEN_YEARS, states=[ended, declined])
        api_fields = ["client_name", "starts_on"]


@guard("The invoice total must be positive.")
def has_positive_total(invoice: Invoice) -> bool:
    return invoice.amount > 0


@guard("The day of payment lies in the future.", label="Was paid by today")
def is_paid_by_today(invoice: Invoice, firing: Firing) -> bool:
    return bool(firing.arguments["paid_on"] <= timezone.localdate())


@guard("The invoice is not due yet.")
def is_past_due(invoice: Invoice) -> bool:
    return invoice.due_on < timezone.localdate()


@effect("Sends the invoice to the client by e-mail", outside=True)
def email_client(invoice: Invoice, firing: Firing) -> None:
    send_mail(
        subject=f"Invoice {invoice.number}",
        message=f"Dear {invoice.client_name},\n\nplease pay {invoice.amount} EUR by {invoice.due_on:%d %B %Y}.\n",
        from_email=None,
        recipient_list=[invoice.client_email],
    )


class Invoice(LifecycleModel):
    """What a client owes, in euros."""

    number = models.CharField(max_length=20, unique=True)
    client_name = models.CharField(max_length=200)
    client_email = models.EmailField()
    amount = models.DecimalField(max_digits=12, decimal_places=2)
    due_on = models.DateField()
    paid_on = models.DateField(null=True, blank=True)
    contract = models.ForeignKey(
        Contract, null=True, blank=True, on_delete=models.PROTECT, related_name="invoices"
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="invoices"
    )

    def __str__(self) -> str:
        return f"Invoice {self.number}"

    class Lifecycle:
        draft = State("draft", initial=True)
        sent = State("sent", tone="wait", stuck_after=timedelta(days=30))
        overdue = State("overdue", tone="alert", stuck_after=timedelta(days=14))
        paid = State("paid", terminal=True)
        cancelled = State("cancelled", terminal=True, tone="stop")
        refunded = State("refunded", terminal=True, tone="stop", description="The client has the money back.")

        send_invoice = Event(draft, to=sent, guards=[has_positive_total], effects=[on_commit(email_client)])
        mark_overdue = Event(sent, to=overdue, guards=[is_past_due])
        pay = Event(
            sent,
            overdue,
            to=paid,
            guards=[is_paid_by_today],
            arguments=PaymentForm,
            stores=["paid_on"],
            not_by=[send_invoice],
            # The money has arrived, whatever became of the contract: a refusal there is put down, no more.
            effects=[
                fires(
                    lambda invoice: invoice.contract, "activate", on_failure="log", model="billing.Contract"
                )
            ],
        )
        cancel = Event(draft, sent, overdue, to=cancelled, arguments=ReasonForm)
        refund = Event(
            paid,
            to=refunded,
            compensating=True,
            arguments=ReasonForm,
            not_by=[send_invoice],
            description="Gives the money back. The payment stays in the log.",
        )

        owner = Role(
            "owner",
            crud=CRUD.READ | CRUD.UPDATE,
            may=[send_invoice, cancel],
            default=True,
            description="Whoever wrote the invoice.",
        )
        clerk = Role(
            "clerk",
            crud=CRUD.CREATE | CRUD.READ | CRUD.UPDATE,
            may=[send_invoice, mark_overdue, cancel],
            description="Writes invoices and sends them.",
        )
        approver = Role(
            "approver",
            crud=CRUD.READ,
            may=[pay, refund],
            description="Takes the payment, or gives it back, of what somebody else has sent.",
        )
        auditor = Role("auditor", crud=CRUD.READ, description="Reads everything and changes nothing.")

        snapshot = Snapshot.terminal("amount", "client_name", "paid_on")
        retention = Retention(after=TEN_YEARS, states=[paid, cancelled, refunded])
        api_fields = ["number", "client_name", "client_email", "amount", "due_on", "paid_on", "contract"]


@guard("Only reports over 5,000 EUR go to a director.", label="Over 5,000 EUR")
def needs_director(report: ExpenseReport) -> bool:
    return report.amount > Decimal(5000)


@guard("Only reports over 500 EUR go to a manager.", label="Over 500 EUR")
def needs_manager(report: ExpenseReport) -> bool:
    return report.amount > Decimal(500)


@guard("The report has no amount yet.", label="Has an amount")
def has_amount(report: ExpenseReport) -> bool:
    return report.amount > 0


class ExpenseReport(LifecycleModel):
    """What an employee spent, in euros. The amount decides who has to look at it."""

    purpose = models.CharField(max_length=200)
    amount = models.DecimalField(max_digits=10, decimal_places=2)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="expense_reports",
    )

    def __str__(self) -> str:
        return f"{self.purpose} ({self.amount} EUR)"

    class Lifecycle:
        draft = State("draft", initial=True)
        manager_review = State("manager_review", tone="wait", stuck_after=timedelta(days=5))
        director_review = State("director_review", tone="wait", stuck_after=timedelta(days=10))
        approved = State("approved", stuck_after=timedelta(days=14))
        rejected = State(
            "rejected", tone="stop", stuck_after=None, description="May be corrected and submitted again."
        )
        reimbursed = State("reimbursed", terminal=True)

        submit = Event(
            draft,
            to=Branch(
                (needs_director, director_review),
                (needs_manager, manager_review),
                otherwise=approved,
            ),
            guards=[has_amount],
            description="Up to 500 EUR it is approved at once.",
        )
        approve = Event(manager_review, director_review, to=approved, not_by=[submit])
        reject = Event(manager_review, director_review, to=rejected, arguments=ReasonForm)
        revise = Event(rejected, to=draft)
        reimburse = Event(approved, to=reimbursed, not_by=[submit, approve])

        owner = Role(
            "owner",
            crud=CRUD.READ | CRUD.UPDATE,
            may=[submit, revise],
            default=True,
            description="Whoever wrote the report.",
        )
        employee = Role(
            "employee", crud=CRUD.CREATE, description="May write reports, and owns those that they wrote."
        )
        approver = Role(
            "approver",
            crud=CRUD.READ,
            may=[approve, reject],
            description="Looks at the reports of others.",
        )
        clerk = Role("clerk", crud=CRUD.READ, may=[reimburse], description="Pays what was approved.")
        auditor = Role("auditor", crud=CRUD.READ, description="Reads everything and changes nothing.")

        snapshot = Snapshot.terminal()
        api_fields = ["purpose", "amount", "created_by"]
