"""Agents for invoices, contracts and expense reports."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import Count, Sum
from django.utils import timezone

from fsm_lifecycle.agents import Budget, LifecycleAgent, tool
from fsm_lifecycle.models import AgentRun
from sample_project.billing.models import Contract, ExpenseReport, Invoice


class InvoiceAgent(LifecycleAgent):
    """Chases what clients owe. It cannot take payments: `pay` and `refund` are not in its list."""

    lifecycle = Invoice
    instructions = "Chase overdue invoices, politely. Find them with overdue() before you mark any."
    events = ("send_invoice", "mark_overdue", "cancel")
    fields = ("label", "number", "client_name", "amount", "due_on", "paid_on")
    # No event leads back from overdue, so the table takes marking for risky. It is what this agent is for.
    approval = {"mark_overdue": "never", "cancel": "four_eyes"}
    budget = Budget(turns=20, tool_calls=60, tokens=200_000, seconds=300)
    examples = (
        "Mark all sent invoices that are more than 30 days past their due date as overdue.",
        "Which clients owe us most?",
        "Send invoice DEMO-1.",
    )

    @tool
    def overdue(self, run: AgentRun, days: int = 0) -> list[dict[str, Any]]:
        """Sent invoices that are more than so many days past their due date, at most 100."""
        latest = timezone.localdate() - timedelta(days=days)
        late = Invoice.objects.visible_to(run.user).in_state("sent").filter(due_on__lt=latest)
        return [
            {"id": str(i.pk), "number": i.number, "due_on": i.due_on, "amount": i.amount}
            for i in late.order_by("due_on")[:100]
        ]

    @tool
    def owed(self, run: AgentRun) -> list[dict[str, Any]]:
        """What each client owes on invoices that are sent or overdue, the ten that owe most."""
        unpaid = Invoice.objects.visible_to(run.user).in_state("sent", "overdue").order_by()
        sums = unpaid.values("client_name").annotate(amount=Sum("amount"), invoices=Count("pk"))
        return [
            {"client": one["client_name"], "amount": one["amount"], "invoices": one["invoices"]}
            for one in sums.order_by("-amount", "client_name")[:10]
        ]


class OfficeAgent(LifecycleAgent):
    """Looks after contracts and expense reports. Everything risky takes a person."""

    lifecycle = (Contract, ExpenseReport)
    instructions = (
        "Help the office keep contracts and expense reports moving. Never decide about somebody's own report."
    )
    fields = ("label", "client_name", "starts_on", "purpose", "amount")
    approval = {"approve": "four_eyes", "reimburse": "four_eyes"}
    examples = (
        "Which expense reports are in manager review?",
        "Submit my expense reports that are still drafts.",
    )
