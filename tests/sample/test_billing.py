"""Invoices, contracts and expense reports as their users move them."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core import mail
from django.utils import timezone

from fsm_lifecycle import System
from fsm_lifecycle.access import grant_role
from fsm_lifecycle.exceptions import GuardFailed, InvalidArguments, InvalidTransition, TerminalState
from fsm_lifecycle.models import RefusedAttempt
from sample_project.billing.models import Contract, ExpenseReport, Invoice

pytestmark = [pytest.mark.once, pytest.mark.django_db]

Committing = Callable[..., AbstractContextManager[list[Callable[[], Any]]]]


def somebody(username: str, role: str) -> Any:
    """A user with one role, for all records of all three models."""
    user = get_user_model().objects.create_user(username)
    for model in (Contract, Invoice, ExpenseReport):
        grant_role(user, role, on=model, by=System("tests"))
    return user


@pytest.fixture
def alice() -> Any:
    """Sends what she has written."""
    return somebody("alice", "clerk")


@pytest.fixture
def bruno() -> Any:
    """Pays what others were sent."""
    return somebody("bruno", "approver")


@pytest.fixture
def contract() -> Contract:
    contract: Contract = Contract.objects.create(client_name="Ferrara Logistica")
    return contract


@pytest.fixture
def invoice(contract: Contract, alice: Any) -> Invoice:
    invoice: Invoice = Invoice.objects.create(
        number="2026-001",
        client_name="Ferrara Logistica",
        client_email="office@example.com",
        amount=Decimal("120.50"),
        due_on=timezone.localdate() + timedelta(days=14),
        contract=contract,
        created_by=alice,
    )
    return invoice


def paid(invoice: Invoice, clerk: Any, approver: Any) -> Any:
    invoice.send_invoice(actor=clerk)
    return invoice.pay(actor=approver, paid_on=timezone.localdate())


def test_an_invoice_without_a_positive_total_stays_a_draft(invoice: Invoice, alice: Any) -> None:
    invoice.amount = Decimal(0)
    invoice.save()

    with pytest.raises(GuardFailed) as refused:
        invoice.send_invoice(actor=alice)

    assert refused.value.reason == "The invoice total must be positive."
    assert refused.value.guard == "has_positive_total"
    invoice.refresh_from_db()
    assert invoice.is_draft
    attempt = RefusedAttempt.objects.get()
    assert (attempt.event, attempt.state, attempt.code) == ("send_invoice", "draft", "guard_failed")
    assert attempt.actor_id == str(alice.pk)


def test_sending_mails_the_client_once_it_is_committed(
    invoice: Invoice, alice: Any, django_capture_on_commit_callbacks: Committing
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        invoice.send_invoice(actor=alice)
        assert mail.outbox == []

    assert [message.to for message in mail.outbox] == [["office@example.com"]]
    assert "120.50 EUR" in mail.outbox[0].body


def test_payment_stores_its_day_and_activates_the_contract_with_its_cause(
    invoice: Invoice, contract: Contract, alice: Any, bruno: Any
) -> None:
    payment = paid(invoice, alice, bruno)

    invoice.refresh_from_db()
    assert invoice.is_paid
    assert invoice.paid_on == timezone.localdate()
    contract.refresh_from_db()
    assert contract.is_active
    activation = contract.log.last()
    assert activation is not None
    assert activation.event == "activate"
    assert activation.cause == payment.entry_hash
    assert [cause.event for cause in activation.causes()] == ["pay"]
    assert activation.actor_id == str(bruno.pk)


def test_payment_without_a_contract_is_a_payment(invoice: Invoice, alice: Any, bruno: Any) -> None:
    invoice.contract = None
    invoice.save()

    paid(invoice, alice, bruno)

    assert invoice.is_paid


def test_payment_stands_when_the_contract_has_ended(
    invoice: Invoice, contract: Contract, alice: Any, bruno: Any
) -> None:
    contract.activate(actor=bruno)
    contract.end(actor=alice)

    paid(invoice, alice, bruno)

    invoice.refresh_from_db()
    contract.refresh_from_db()
    assert invoice.is_paid
    assert contract.state == Contract.Lifecycle.ended


def test_payment_needs_a_day_that_has_come(invoice: Invoice, alice: Any, bruno: Any) -> None:
    invoice.send_invoice(actor=alice)

    with pytest.raises(InvalidArguments) as missing:
        invoice.pay(actor=bruno)
    with pytest.raises(GuardFailed, match="lies in the future"):
        invoice.pay(actor=bruno, paid_on=timezone.localdate() + timedelta(days=1))

    assert set(missing.value.errors) == {"paid_on"}
    invoice.refresh_from_db()
    assert invoice.is_sent
    assert invoice.paid_on is None


def test_only_what_is_past_due_becomes_overdue(invoice: Invoice, alice: Any, bruno: Any) -> None:
    invoice.send_invoice(actor=alice)
    assert not invoice.can_mark_overdue(actor=alice)

    invoice.due_on = timezone.localdate() - timedelta(days=1)
    invoice.save()
    invoice.mark_overdue(actor=alice)

    assert invoice.is_overdue
    assert {event.name for event in invoice.available_events(alice)} == {"cancel"}
    assert {event.name for event in invoice.available_events(bruno)} == {"pay"}


def test_a_refund_compensates_a_payment(invoice: Invoice, alice: Any, bruno: Any) -> None:
    paid(invoice, alice, bruno)
    with pytest.raises(TerminalState):
        invoice.cancel(actor=alice, reason="Too late.")

    entry = invoice.refund(actor=bruno, reason="Delivered broken.")

    assert entry.compensating
    assert entry.from_state == "paid"
    assert entry.snapshot_reason == "terminal"
    assert invoice.is_refunded
    assert invoice.log.get(event="pay").arguments == {"paid_on": timezone.localdate()}


def test_what_was_not_paid_is_not_refunded(invoice: Invoice, bruno: Any) -> None:
    with pytest.raises(InvalidTransition):
        invoice.refund(actor=bruno, reason="No.")


@pytest.mark.parametrize(
    ("amount", "state", "branch"),
    [
        ("500.00", "approved", "otherwise"),
        ("500.01", "manager_review", "needs_manager"),
        ("5000.00", "manager_review", "needs_manager"),
        ("5000.01", "director_review", "needs_director"),
    ],
)
def test_the_amount_of_an_expense_report_finds_its_reviewer(
    amount: str, state: str, branch: str, alice: Any
) -> None:
    report = ExpenseReport.objects.create(purpose="Trade fair", amount=Decimal(amount), created_by=alice)

    entry = report.submit(actor=alice)

    assert report.state == entry.to_state == state
    assert entry.branch == branch


def test_an_empty_expense_report_is_not_submitted(alice: Any) -> None:
    report = ExpenseReport.objects.create(purpose="Nothing", amount=Decimal(0), created_by=alice)

    with pytest.raises(GuardFailed, match="no amount"):
        report.submit(actor=alice)


def test_a_rejected_report_comes_back_corrected(alice: Any, bruno: Any) -> None:
    report = ExpenseReport.objects.create(purpose="Dinner", amount=Decimal(900), created_by=alice)
    report.submit(actor=alice)
    report.reject(actor=bruno, reason="Receipt missing.")
    report.revise(actor=alice)
    report.amount = Decimal(90)
    report.save()
    report.submit(actor=alice)
    report.reimburse(actor=somebody("carla", "clerk"))

    assert report.is_reimbursed
    snapshot = report.last_snapshot
    assert snapshot is not None
    assert snapshot.snapshot is not None
    assert snapshot.snapshot["amount"] == Decimal(90)
