"""A proposal that time, the record, the table or the run has overtaken is not carried out, and says so."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from fsm_lifecycle.agents.outcomes import expire_due
from fsm_lifecycle.agents.undecided import ProposalDecided, ProposalExpired, ProposalFailed, ProposalStale
from fsm_lifecycle.exceptions import AccessDenied, GuardFailed, LifecycleError
from fsm_lifecycle.models import AgentRun, Proposal, RefusedAttempt
from sample_project.billing.models import Invoice
from tests.agents.core.desk import call, declared, run_of, state_of
from tests.testapp.models import Bell

pytestmark = pytest.mark.django_db


@pytest.fixture
def agent() -> Iterator[Any]:
    modes = {"send_invoice": "always", "cancel": "four_eyes", "mark_overdue": "always", "pay": "always"}
    with declared(lifecycle=Invoice, approval=modes) as made:
        yield made


def proposed(run: AgentRun, record: Any, event: str = "send_invoice_invoice", **given: Any) -> Proposal:
    """What the agent asks for, and the run waits."""
    answer = call(run, event, "toolu_1", id=str(record.pk), expected_state=state_of(record), **given)
    assert answer["code"] == "approval_required", answer
    return run.proposals.get(pk=answer["proposal"])


def outcome(run: AgentRun, record: Any, event: str = "send_invoice_invoice", **given: Any) -> dict[str, Any]:
    """What the same call is answered now."""
    asked = run.events.get(kind="tool_call", call="toolu_1").payload["arguments"]
    return call(run, event, "toolu_1", **asked)


def test_a_record_that_changed_makes_it_stale(agent: Any, alice: Any, clerk: Any, invoice: Invoice) -> None:
    invoice.fire("send_invoice", actor=alice)
    run = run_of(agent, clerk)
    Invoice.objects.filter(pk=invoice.pk).update(due_on=timezone.localdate() - timedelta(days=1))
    proposal = proposed(run, invoice, "mark_overdue_invoice")
    invoice.refresh_from_db()
    invoice.fire("mark_overdue", actor=clerk)
    with pytest.raises(ProposalStale):
        proposal.approve(by=clerk)
    proposal.refresh_from_db()
    assert (proposal.status, invoice.log.count()) == ("stale", 3)
    assert outcome(run, invoice, "mark_overdue_invoice")["code"] == "stale_state"
    with pytest.raises(ProposalStale):
        proposal.approve(by=clerk)


def test_a_record_that_is_gone_makes_it_stale(agent: Any, alice: Any, clerk: Any, invoice: Invoice) -> None:
    proposal = proposed(run_of(agent, alice), invoice)
    invoice.delete()
    with pytest.raises(ProposalStale):
        proposal.approve(by=clerk)
    proposal.refresh_from_db()
    assert proposal.status == "stale"


def test_nobody_declines_what_is_about_a_record_that_is_gone(
    agent: Any, alice: Any, bob: Any, invoice: Invoice
) -> None:
    run = run_of(agent, alice)
    proposal = proposed(run, invoice)
    invoice.delete()
    with pytest.raises(ProposalStale):
        proposal.decline(by=bob, reason="Tell the user that I own this now.")
    answer = outcome(run, invoice)
    assert (answer["code"], answer["reasons"]) == ("stale_state", ["What it is about is gone."])


def test_a_table_that_changed_makes_it_stale(agent: Any, alice: Any, clerk: Any, invoice: Invoice) -> None:
    proposal = proposed(run_of(agent, alice), invoice)
    Proposal.objects.filter(pk=proposal.pk).update(fingerprint="0" * 64)
    Proposal.objects.filter(pk=proposal.pk).update(digest=_digest(proposal.pk))
    with pytest.raises(ProposalStale, match="lifecycle has changed"):
        proposal.approve(by=clerk)
    assert state_of(invoice) == "draft"


def _digest(key: int) -> str:
    from fsm_lifecycle.agents.proposing import digest_of

    return digest_of(Proposal.objects.get(pk=key))


def test_an_edited_row_or_page_is_not_carried_out(
    agent: Any, alice: Any, clerk: Any, invoice: Invoice
) -> None:
    proposal = proposed(run_of(agent, alice), invoice, "cancel_invoice", reason="Withdrawn.")
    with pytest.raises(ProposalStale, match="shown"):
        proposal.approve(by=clerk, digest="0" * 64)
    proposal.refresh_from_db()
    assert proposal.status == "pending"  # the page was wrong, not the proposal
    Proposal.objects.filter(pk=proposal.pk).update(arguments={"reason": "Edited."})
    with pytest.raises(ProposalStale):
        proposal.approve(by=clerk, digest=proposal.digest)
    assert state_of(invoice) == "draft"


def test_another_mode_or_event_written_into_the_row_is_not_carried_out(
    agent: Any, alice: Any, clerk: Any, invoice: Invoice
) -> None:
    for changed in ({"mode": "always"}, {"event": "send_invoice", "arguments": {}}):
        run = run_of(agent, alice)
        proposal = proposed(run, invoice, "cancel_invoice", reason="Withdrawn.")
        Proposal.objects.filter(pk=proposal.pk).update(**changed)
        with pytest.raises(LifecycleError):
            proposal.approve(by=clerk)
    assert state_of(invoice) == "draft"


def test_four_eyes_is_the_engines_own_whatever_the_row_says(agent: Any, alice: Any, invoice: Invoice) -> None:
    proposal = proposed(run_of(agent, alice), invoice, "cancel_invoice", reason="Withdrawn.")
    Proposal.objects.filter(pk=proposal.pk).update(mode="always")
    Proposal.objects.filter(pk=proposal.pk).update(digest=_digest(proposal.pk))
    with pytest.raises(AccessDenied) as caught:
        proposal.approve(by=alice)
    assert caught.value.code == "four_eyes"
    assert state_of(invoice) == "draft"


def test_after_its_time_it_is_expired(agent: Any, alice: Any, clerk: Any, invoice: Invoice) -> None:
    run = run_of(agent, alice)
    proposal = proposed(run, invoice)
    Proposal.objects.filter(pk=proposal.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    with pytest.raises(ProposalExpired):
        proposal.approve(by=clerk)
    with pytest.raises(ProposalExpired):
        proposal.decline(by=clerk, reason="No.")
    proposal.refresh_from_db()
    assert (proposal.status, state_of(invoice)) == ("expired", "draft")
    assert outcome(run, invoice)["code"] == "expired"


def test_the_routine_ends_what_nobody_decides(agent: Any, alice: Any, invoice: Invoice) -> None:
    run = run_of(agent, alice, model="scripted/x", status="waiting")
    proposal = proposed(run, invoice)
    assert expire_due("default") == 0
    Proposal.objects.filter(pk=proposal.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert expire_due("default") == 1
    assert expire_due("default") == 0
    run.refresh_from_db()
    assert run.status == "queued"


def test_a_decision_holds(agent: Any, alice: Any, clerk: Any, invoice: Invoice) -> None:
    proposal = proposed(run_of(agent, alice), invoice)
    proposal.approve(by=clerk)
    for decide in (lambda: proposal.approve(by=alice), lambda: proposal.decline(by=alice, reason="No.")):
        with pytest.raises(ProposalDecided) as caught:
            decide()
        assert caught.value.proposal.decided_by == clerk
    assert invoice.log.by_event("send_invoice").count() == 1


def test_what_a_stopped_run_asked_for_is_stale(agent: Any, alice: Any, clerk: Any, invoice: Invoice) -> None:
    run = run_of(agent, alice)
    proposal = proposed(run, invoice)
    AgentRun.objects.filter(pk=run.pk).update(status="stopped")
    with pytest.raises(ProposalStale, match="stopped"):
        proposal.approve(by=clerk)
    assert state_of(invoice) == "draft"


def test_the_kill_switch_stops_approvals_and_leaves_them(
    agent: Any, alice: Any, clerk: Any, invoice: Invoice, settings: Any
) -> None:
    proposal = proposed(run_of(agent, alice), invoice)
    settings.FSM_LIFECYCLE = {"AGENTS_ENABLED": False}
    with pytest.raises(LifecycleError) as caught:
        proposal.approve(by=clerk)
    assert caught.value.code == "disabled"
    settings.FSM_LIFECYCLE = {}
    assert proposal.approve(by=clerk).to_state == "sent"


def test_a_guard_that_says_no_by_then_fails_it(agent: Any, alice: Any, clerk: Any, invoice: Invoice) -> None:
    run = run_of(agent, alice)
    proposal = proposed(run, invoice)
    Invoice.objects.filter(pk=invoice.pk).update(amount=0)
    with pytest.raises(GuardFailed):
        proposal.approve(by=clerk)
    proposal.refresh_from_db()
    assert (proposal.status, state_of(invoice)) == ("failed", "draft")
    assert outcome(run, invoice)["code"] == "guard_failed"
    assert RefusedAttempt.objects.get(event="send_invoice").surface == "approval"


def test_an_event_that_fails_in_its_own_code_changes_nothing(root: Any) -> None:
    bell = Bell.objects.create(mischief="raise")
    bell.fire("ring", actor=root)
    with declared(lifecycle=Bell, approval={"hush": "always"}) as agent:
        run = run_of(agent, root)
        proposal = proposed(run, bell, "hush_bell")
        with pytest.raises(ProposalFailed):
            proposal.approve(by=root)
        answer = outcome(run, bell, "hush_bell")
    assert (answer["code"], state_of(bell)) == ("effect_failed", "ringing")
    assert "secret" not in str([answer, list(run.events.values_list("payload", flat=True))])
