"""What a user of a lifecycle writes, and the types it has."""

from __future__ import annotations

from datetime import datetime
from typing import Any, assert_type

from django.contrib.auth.models import User
from django.utils import timezone

from fsm_lifecycle import (
    AccessDenied,
    BulkResult,
    Decision,
    Event,
    GuardFailed,
    InvalidArguments,
    State,
    System,
    acting_as,
    adopting,
)
from fsm_lifecycle.models import LifecycleModel, LifecycleQuerySet, TransitionLog
from fsm_lifecycle.registry import get, lifecycles
from tests.testapp.models import DisputedInvoice, Invoice


def a_state_is_a_string(invoice: Invoice) -> None:
    draft: str = Invoice.Lifecycle.draft
    assert_type(Invoice.Lifecycle.draft, State)
    assert_type(invoice.state, str)
    assert_type(invoice.state_since, datetime)
    assert_type(invoice.lifecycle_sequence, int)
    assert_type(invoice.lifecycle_head, str)
    print(draft.upper(), invoice.state == Invoice.Lifecycle.sent, Invoice(state=Invoice.Lifecycle.draft))


def querysets_are_of_invoices(user: User) -> None:
    assert_type(Invoice.objects.get(pk=1), Invoice)
    assert_type(Invoice.objects.create(amount=1), Invoice)
    assert_type(Invoice.objects.in_state("draft", Invoice.Lifecycle.sent), LifecycleQuerySet[Invoice])
    assert_type(Invoice.objects.filter(amount=1).in_state("draft"), LifecycleQuerySet[Invoice])
    assert_type(Invoice.objects.in_state("draft").filter(amount=1).stuck(days=1.5).get(), Invoice)
    assert_type(Invoice.objects.stuck().first(), Invoice | None)
    assert_type(Invoice.objects.visible_to(user), LifecycleQuerySet[Invoice])
    assert_type(DisputedInvoice.objects.in_state("disputed").get(), DisputedInvoice)
    for invoice in Invoice.objects.filter(state=Invoice.Lifecycle.draft):
        assert_type(invoice, Invoice)
    with adopting("import"):
        assert_type(Invoice.objects.bulk_create([Invoice(state="sent")]), list[Invoice])


def firing(invoice: Invoice, user: User) -> None:
    assert_type(invoice.fire("cancel"), TransitionLog)
    assert_type(invoice.fire(Invoice.Lifecycle.cancel, actor=user), TransitionLog)
    entry = invoice.fire(
        "pay",
        actor=System("nightly-job"),
        arguments={"paid_on": "2026-11-20"},
        metadata={"via": "import"},
        expected_state=Invoice.Lifecycle.sent,
        expected_sequence=3,
        idempotency_key="x",
        snapshot=True,
        observations={"seen": 1},
        occurred_at=timezone.now(),
    )
    assert_type(entry.arguments, dict[str, Any])
    assert_type(entry.recorded_at, datetime)
    print(entry.event, entry.from_state, entry.to_state, entry.actor_label)


def deciding(invoice: Invoice, user: User) -> None:
    decision = invoice.decide("pay", user, arguments={"paid_on": "x"}, expected_state="sent")
    assert_type(decision, Decision)
    assert_type(decision.allowed, bool)
    assert_type(decision.target, State | None)
    for denial in decision.denials:
        print(denial.code, denial.reason, denial.name)
    assert_type(invoice.can_fire("pay", actor=user), bool)
    assert_type(invoice.available_events(user), list[Event])
    if invoice.decide(Invoice.Lifecycle.pay):
        print(decision.pending_guards, decision.to_dict())


def many(user: User) -> None:
    def show(done: int, total: int) -> None:
        print(done, total)

    result = Invoice.objects.in_state("sent").fire(
        Invoice.Lifecycle.mark_overdue, actor=user, all_or_nothing=True, batch_size=10, progress=show
    )
    assert_type(result, BulkResult)
    print(result.total, result.succeeded, result.failed)
    for one in result.results:
        print(one.pk, one.ok, one.from_state, one.to_state, one.denials)


def the_log(invoice: Invoice) -> None:
    assert_type(invoice.log.first(), TransitionLog | None)
    assert_type(invoice.last_snapshot, TransitionLog | None)
    for entry in invoice.log:
        assert_type(entry, TransitionLog)
    replayed = invoice.replay(until=timezone.now())
    assert_type(replayed.whole, bool)
    print(invoice.state_at(3), invoice.snapshots.count())


def the_table() -> None:
    table = Invoice.lifecycle
    assert_type(table.states["draft"], State)
    assert_type(table.events["pay"], Event)
    assert_type(table.initial, State)
    assert_type(table.fingerprint, str)
    assert_type(table.reversible("pay"), bool)
    for event in table.events_from("draft"):
        assert_type(event.label.upper(), str)
    for model in lifecycles():
        assert_type(model, type[LifecycleModel])
    assert_type(get("testapp.invoice"), type[LifecycleModel])


async def asynchronously(invoice: Invoice) -> None:
    with acting_as(System("task")):
        assert_type(await invoice.afire("cancel"), TransitionLog)
        assert_type(await invoice.adecide("cancel"), Decision)


def refusals(invoice: Invoice) -> None:
    try:
        invoice.fire("pay")
    except GuardFailed as refused:
        print(refused.code, refused.guard, refused.reason)
    except InvalidArguments as refused:
        assert_type(refused.errors, dict[str, list[str]])
    except AccessDenied as refused:
        assert_type(refused.decision, Decision | None)


def generated(invoice: Invoice) -> None:
    """Names that the table puts on the model."""
    invoice.pay(actor=System("x"), paid_on="2026-11-20")
    if invoice.is_draft and invoice.can_send_invoice():
        invoice.send_invoice()
