"""A proposal's page: decided once, by who may; whatever comes too late is said."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from fsm_lifecycle.agents import start
from fsm_lifecycle.agents.providers.scripted import call
from fsm_lifecycle.dispatch.working import work_off
from fsm_lifecycle.models import AgentRun, Proposal
from sample_project.billing.models import Invoice
from tests.admin.agents.conftest import cancel, permitted
from tests.sample.making import an_invoice, somebody

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def asked(says: Any, clerk: User, invoice: Invoice) -> Proposal:
    says(call("cancel_invoice", **cancel(invoice)), "Done.")
    start("billing.invoice_agent", "Cancel it", user=clerk, surface="chat")
    work_off("default")
    return Proposal.objects.get()


def url(proposal: Proposal) -> str:
    return f"/admin/lifecycle/proposals/{proposal.pk}/"


def approve(client: Any, proposal: Proposal) -> Any:
    return client.post(url(proposal), {"do": "approve", "digest": proposal.digest})


def test_it_says_everything_before_it_asks(browsing: Any, asked: Proposal, approver: User) -> None:
    page = browsing(approver).get(url(asked)).content.decode()
    for text in (
        "Cancel invoice 2026-0041?",
        "Sent",
        "Cancelled",
        "Reason",
        "The order was withdrawn.",
        "Approve and cancel invoice",
        "Invoice agent",
        "clara",
        "another person than who asked",
        "Lapses",
        "Written by the system from the agent’s call, not by the model.",
    ):
        assert text in page, text
    assert "autofocus" not in page


def test_a_long_argument_stands_there_to_its_last_word(
    browsing: Any, asked: Proposal, approver: User
) -> None:
    reason = f"{'A' * 3000} and then the rest."
    Proposal.objects.update(arguments={"reason": reason})
    page = browsing(approver).get(url(asked)).content.decode()
    assert reason in page
    assert "3,019 characters, all of them in this box" in page


def test_approved_it_is_done_once(browsing: Any, asked: Proposal, approver: User, invoice: Invoice) -> None:
    client = browsing(approver)
    assert approve(client, asked)["Location"] == url(asked)
    page = client.get(url(asked)).content.decode()
    assert "approved by you" in page
    assert 'value="approve"' not in page
    again = approve(client, asked)
    assert again.status_code == 409
    assert "decided already" in again.content.decode()
    assert [entry.event for entry in invoice.log if entry.event] == ["send_invoice", "cancel"]
    entry: Any = invoice.log.last()
    assert entry.actor_id == str(asked.run.user_id)
    work_off("default")
    assert AgentRun.objects.get().answer == "Done."


def test_declined_with_a_reason_nothing_is_changed(
    browsing: Any, asked: Proposal, approver: User, invoice: Invoice
) -> None:
    client = browsing(approver)
    refused = client.post(url(asked), {"do": "decline", "reason": " "})
    assert refused.status_code == 400
    assert "Say why." in refused.content.decode()
    assert client.post(url(asked), {"do": "decline", "reason": "<b>Ask</b> again."}).status_code == 302
    page = client.get(url(asked)).content.decode()
    assert "&lt;b&gt;Ask&lt;/b&gt; again." in page
    assert "declined by you" in page
    assert Invoice.objects.get(pk=invoice.pk).state == "sent"


def test_who_asked_may_not_approve_what_takes_four_eyes(
    browsing: Any, asked: Proposal, clerk: User, invoice: Invoice
) -> None:
    answer = approve(browsing(clerk), asked)
    assert answer.status_code == 403
    assert "takes another person" in answer.content.decode()
    assert Invoice.objects.get(pk=invoice.pk).state == "sent"


def test_without_the_events_right_nobody_decides(browsing: Any, asked: Proposal, invoice: Invoice) -> None:
    reader = permitted(somebody("rita", auditor=Invoice), "use_agents")
    client = browsing(reader)
    assert approve(client, asked).status_code == 403
    assert client.post(url(asked), {"do": "decline", "reason": "No."}).status_code == 403
    boss = permitted(somebody("bert", clerk=Invoice))
    assert approve(browsing(boss), asked).status_code == 403, "Not without use_agents either."
    asked.refresh_from_db()
    assert asked.status == "pending"
    assert Invoice.objects.get(pk=invoice.pk).state == "sent"


def test_a_record_that_moved_is_said_to_have_before_and_after(
    browsing: Any, asked: Proposal, approver: User, clerk: User, invoice: Invoice
) -> None:
    Invoice.objects.filter(pk=invoice.pk).update(due_on="2020-01-01")
    Invoice.objects.get(pk=invoice.pk).fire("mark_overdue", actor=clerk)
    client = browsing(approver)
    assert "The record has changed since it was asked for." in client.get(url(asked)).content.decode()
    answer = approve(client, asked)
    assert answer.status_code == 409
    assert "Nothing was done." in answer.content.decode()
    page = client.get(url(asked)).content.decode()
    assert "out of date" in page
    assert 'value="approve"' not in page
    assert Invoice.objects.get(pk=invoice.pk).state == "overdue"


def test_one_that_lapsed_says_so(browsing: Any, asked: Proposal, approver: User) -> None:
    Proposal.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    client = browsing(approver)
    page = client.get(url(asked)).content.decode()
    assert "Nobody has decided in time." in page
    assert 'value="approve"' not in page
    assert approve(client, asked).status_code == 409
    assert "lapsed" in client.get(url(asked)).content.decode()


def test_another_digest_than_was_shown_is_refused(
    browsing: Any, asked: Proposal, approver: User, invoice: Invoice
) -> None:
    client = browsing(approver)
    for digest in ("", "0" * 64):
        answer = client.post(url(asked), {"do": "approve", "digest": digest})
        assert answer.status_code == 409
    assert Invoice.objects.get(pk=invoice.pk).state == "sent"
    Proposal.objects.update(arguments={"reason": "Something else."})
    assert approve(client, asked).status_code == 409
    assert Invoice.objects.get(pk=invoice.pk).state == "sent"


def test_getting_decides_nothing(browsing: Any, asked: Proposal, approver: User) -> None:
    browsing(approver).get(url(asked), {"do": "approve", "digest": asked.digest})
    assert browsing(approver).post(url(asked), {}).status_code == 400
    asked.refresh_from_db()
    assert asked.status == "pending"


def test_a_plan_is_one_decision_about_its_whole_list(
    browsing: Any, says: Any, clerk: User, approver: User, invoice: Invoice
) -> None:
    second = an_invoice(clerk, "2026-0042")
    steps = [
        {"event": "cancel", "id": str(invoice.pk), "expected_state": "sent", "arguments": {"reason": "One."}},
        {"event": "cancel", "id": str(second.pk), "expected_state": "draft", "arguments": {"reason": "Two."}},
    ]
    says(call("plan_invoices", steps=steps), "Done.")
    start("billing.invoice_agent", "Cancel both", user=clerk, surface="chat")
    work_off("default")
    proposal = Proposal.objects.get()
    client = browsing(approver)
    page = client.get(url(proposal)).content.decode()
    for text in (
        "2 events on invoices, all or none",
        "1. Cancel invoice 2026-0041",
        "2. Cancel invoice",
        "Two.",
    ):
        assert text in page, text
    assert approve(client, proposal).status_code == 302
    assert set(Invoice.objects.values_list("state", flat=True)) == {"cancelled"}
