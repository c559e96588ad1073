"""The same invoice as each other package wants it declared.

Must not know our package, nor how the declarations are driven: that is `peers`.
"""

from __future__ import annotations

from typing import Any

from django.db import models
from django_fsm import FSMField, transition
from django_fsm_log.decorators import fsm_log_by
from statemachine import State, StateMachine
from statemachine.mixins import MachineMixin
from viewflow import fsm

from benchmarks.plain_models import InvoiceColumns, PlainLog


def has_positive_total(invoice: Any) -> bool:
    """The guard everyone checks."""
    return bool(invoice.amount > 0)


class Fsm2Columns(InvoiceColumns):
    """The table in django-fsm-2's words."""

    state = FSMField(max_length=64, default="draft", protected=True)

    class Meta:
        abstract = True

    @fsm_log_by
    @transition(field=state, source="draft", target="sent", conditions=[has_positive_total])
    def send_invoice(self, by: Any = None) -> None:
        """Draft to sent."""

    @fsm_log_by
    @transition(field=state, source="sent", target="draft", conditions=[has_positive_total])
    def recall(self, by: Any = None) -> None:
        """Sent back to draft."""

    @fsm_log_by
    @transition(field=state, source=["sent", "overdue"], target="paid")
    def pay(self, by: Any = None) -> None:
        """Sent or overdue to paid."""

    @fsm_log_by
    @transition(field=state, source="sent", target="overdue")
    def mark_overdue(self, by: Any = None) -> None:
        """Sent to overdue."""

    @fsm_log_by
    @transition(field=state, source=["draft", "sent"], target="cancelled")
    def cancel(self, by: Any = None) -> None:
        """Draft or sent to cancelled."""


class Fsm2Invoice(Fsm2Columns):
    """django-fsm-2 with a log written by hand."""

    class Meta:
        app_label = "benchmarks"
        indexes = [models.Index(fields=["state", "state_since"], name="bench_fsm2_state")]


class Fsm2LoggedInvoice(Fsm2Columns):
    """django-fsm-2 with django-fsm-log."""

    class Meta:
        app_label = "benchmarks"
        indexes = [models.Index(fields=["state", "state_since"], name="bench_fsm2log_state")]


class ViewflowInvoice(InvoiceColumns):
    """The record that viewflow's flow class works on."""

    state = models.CharField(max_length=64, default="draft")

    class Meta:
        app_label = "benchmarks"
        indexes = [models.Index(fields=["state", "state_since"], name="bench_viewflow_state")]


class InvoiceFlow:
    """The table in viewflow's words: a flow class around the record, which saves and logs on success."""

    state = fsm.State(["draft", "sent", "overdue", "paid", "cancelled"], default="draft")

    def __init__(self, invoice: ViewflowInvoice, by: Any) -> None:
        self.invoice = invoice
        self.by = by

    @state.setter()
    def _set_state(self, value: str) -> None:
        self.invoice.state = value

    @state.getter()
    def _get_state(self) -> str:
        return self.invoice.state

    @state.on_success()
    def _on_success(self, descriptor: Any, source: str, target: str, **kwargs: Any) -> None:
        self.invoice.save(update_fields=["state", "state_since"])
        PlainLog.objects.create(
            table="viewflowinvoice",
            object_id=self.invoice.pk,
            event=descriptor._func.__name__,
            from_state=source,
            to_state=target,
            by=self.by,
            at=self.invoice.state_since,
        )

    def is_payable(self) -> bool:
        """The guard everyone checks."""
        return has_positive_total(self.invoice)

    @state.transition(source="draft", target="sent", conditions=[is_payable])
    def send_invoice(self) -> None:
        """Draft to sent."""

    @state.transition(source="sent", target="draft", conditions=[is_payable])
    def recall(self) -> None:
        """Sent back to draft."""

    @state.transition(source=["sent", "overdue"], target="paid")
    def pay(self) -> None:
        """Sent or overdue to paid."""

    @state.transition(source="sent", target="overdue")
    def mark_overdue(self) -> None:
        """Sent to overdue."""

    @state.transition(source=["draft", "sent"], target="cancelled")
    def cancel(self) -> None:
        """Draft or sent to cancelled."""


class InvoiceMachine(StateMachine):
    """The table in python-statemachine's words; the mixin makes one machine per loaded record."""

    draft = State(initial=True)
    sent = State()
    overdue = State()
    paid = State(final=True)
    cancelled = State(final=True)

    send_invoice = draft.to(sent, cond="has_positive_total")
    recall = sent.to(draft, cond="has_positive_total")
    pay = sent.to(paid) | overdue.to(paid)
    mark_overdue = sent.to(overdue)
    cancel = draft.to(cancelled) | sent.to(cancelled)

    def has_positive_total(self) -> bool:
        """The guard everyone checks."""
        return has_positive_total(self.model)


class MachineInvoice(InvoiceColumns, MachineMixin):
    """The record that carries python-statemachine's machine."""

    state = models.CharField(max_length=64, default="draft")

    state_machine_name = "benchmarks.peer_models.InvoiceMachine"
    statemachine: Any  # set by the mixin on every instance

    class Meta:
        app_label = "benchmarks"
        indexes = [models.Index(fields=["state", "state_since"], name="bench_machine_state")]
