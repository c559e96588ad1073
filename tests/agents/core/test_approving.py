"""Proposals: nothing happens until a person approves, and then what was stored happens, by both people's rights."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone

from fsm_lifecycle import System
from fsm_lifecycle.access import revoke_role
from fsm_lifecycle.agents import registry
from fsm_lifecycle.agents.approving import may_decide
from fsm_lifecycle.agents.call import Call
from fsm_lifecycle.agents.proposing import digest_of, propose
from fsm_lifecycle.exceptions import AccessDenied, InvalidArguments, LifecycleError
from fsm_lifecycle.models import AgentRun, Proposal, RefusedAttempt
from sample_project.billing.models import Invoice
from tests.acting import statements
from tests.agents.core.desk import call, declared, run_of, state_of
from tests.sample.making import SETUP, an_invoice, somebody
from tests.testapp.models import Light

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


def test_a_call_becomes_a_proposal_and_changes_nothing(agent: Any, alice: Any, invoice: Invoice) -> None:
    run = run_of(agent, alice)
    proposal = proposed(run, invoice)
    assert (proposal.status, proposal.event, proposal.object_pk) == (
        "pending",
        "send_invoice",
        str(invoice.pk),
    )
    assert (proposal.model_label, proposal.sequence, proposal.mode) == ("billing.invoice", 1, "always")
    assert proposal.fingerprint == Invoice.lifecycle.fingerprint
    assert timezone.now() < proposal.expires_at
    assert (state_of(invoice), invoice.log.count()) == ("draft", 1)
    again = outcome(run, invoice)
    assert (again["code"], again["proposal"]) == ("approval_required", proposal.pk)
    assert run.proposals.count() == 1


def test_what_could_not_be_done_anyway_is_refused_instead_of_proposed(
    agent: Any, alice: Any, invoice: Invoice
) -> None:
    run = run_of(agent, alice)
    given = {"id": str(invoice.pk), "expected_state": "draft"}
    assert call(run, "pay_invoice", **given, paid_on="2026-01-01")["code"] == "access_denied"
    assert call(run, "mark_overdue_invoice", **given)["code"] == "access_denied"
    assert call(run, "cancel_invoice", **given, reason="x" * 501)["code"] == "invalid_arguments"
    Invoice.objects.filter(pk=invoice.pk).update(amount=0)
    assert call(run, "send_invoice_invoice", **given)["code"] == "guard_failed"
    assert not run.proposals.exists()


def test_approved_it_runs_and_the_call_is_answered(
    agent: Any, alice: Any, clerk: Any, invoice: Invoice
) -> None:
    run = run_of(agent, alice, model="scripted/x")
    proposal = proposed(run, invoice)
    entry = proposal.approve(by=clerk)
    assert (entry.event, entry.actor_kind, entry.actor_id) == ("send_invoice", "agent", str(alice.pk))
    assert entry.fields["approval"].value == {
        "proposal": str(proposal.pk),
        "id": str(clerk.pk),
        "label": str(clerk),
    }
    assert entry.fields["run"].value["call"] == "toolu_1"
    assert (proposal.status, proposal.decided_by, proposal.decided_by_key) == (
        "approved",
        clerk,
        str(clerk.pk),
    )
    answer = outcome(run, invoice)
    assert (answer["success"], answer["current_state"], answer["approved"]) == (True, "sent", True)
    assert [e.kind for e in run.events.all()] == ["tool_call", "proposal", "decision", "tool_result"]


def test_declined_the_agent_is_told_why(agent: Any, alice: Any, clerk: Any, invoice: Invoice) -> None:
    run = run_of(agent, alice)
    proposal = proposed(run, invoice)
    with pytest.raises(InvalidArguments):
        proposal.decline(by=clerk, reason=" ")
    proposal.decline(by=clerk, reason="The address is wrong.")
    assert (proposal.status, proposal.reason, proposal.decided_by) == (
        "declined",
        "The address is wrong.",
        clerk,
    )
    answer = outcome(run, invoice)
    assert (answer["code"], answer["reasons"]) == ("declined", ["The address is wrong."])
    assert state_of(invoice) == "draft"


def test_a_decision_wakes_the_run_that_waits(agent: Any, alice: Any, invoice: Invoice) -> None:
    run = run_of(agent, alice, model="scripted/x", status="waiting")
    proposed(run, invoice).approve(by=alice)
    run.refresh_from_db()
    assert run.status == "queued"


# Who may


def test_who_may_not_fire_the_event_may_not_approve_it(
    agent: Any, alice: Any, bob: Any, approver: Any, invoice: Invoice
) -> None:
    proposal = proposed(run_of(agent, alice), invoice)
    gone = get_user_model().objects.create_superuser("gone", is_active=False)
    for stranger in (bob, approver, somebody("aud", auditor=Invoice), gone, AnonymousUser(), None, "root"):
        with pytest.raises(AccessDenied):
            proposal.approve(by=stranger)
        if stranger is not None and stranger != "root":
            assert not may_decide(proposal, stranger)
        with pytest.raises(AccessDenied):
            proposal.decline(by=stranger, reason="No.")
    proposal.refresh_from_db()
    assert (proposal.status, state_of(invoice)) == ("pending", "draft")
    assert may_decide(proposal, alice)
    assert proposal.approve(by=alice).to_state == "sent"


def test_an_account_that_was_deactivated_meanwhile_approves_nothing(root: Any) -> None:
    """Also where the table has no roles, so that nobody's grants are asked for."""
    light = Light.objects.create()
    other = somebody("other")
    with declared(lifecycle=Light, approval={"switch_on": "always"}) as made:
        proposal = proposed(run_of(made, root), light, "switch_on_light")
        get_user_model().objects.filter(pk=other.pk).update(
            is_active=False
        )  # the page still holds the old one
        assert not may_decide(proposal, other)
        with pytest.raises(AccessDenied):
            proposal.approve(by=other)
        assert proposal.approve(by=root).to_state == "on"


def test_with_four_eyes_never_the_user_who_asked(
    agent: Any, alice: Any, clerk: Any, invoice: Invoice
) -> None:
    proposal = proposed(run_of(agent, alice), invoice, "cancel_invoice", reason="Withdrawn.")
    with pytest.raises(AccessDenied) as caught:
        proposal.approve(by=alice)
    assert caught.value.code == "four_eyes"
    proposal.refresh_from_db()
    assert proposal.status == "pending"
    assert proposal.approve(by=clerk).to_state == "cancelled"


def test_with_four_eyes_nor_somebody_who_has_the_right_from_the_user_who_asked(
    agent: Any, alice: Any, bob: Any, invoice: Invoice
) -> None:
    from fsm_lifecycle.access import delegate

    delegate(alice, bob, until=timezone.now() + timedelta(days=1), reason="holiday")
    proposal = proposed(run_of(agent, alice), invoice, "cancel_invoice", reason="Withdrawn.")
    with pytest.raises(AccessDenied):
        proposal.approve(by=bob)
    assert state_of(invoice) == "draft"


def test_who_asked_may_take_it_back(agent: Any, alice: Any, invoice: Invoice) -> None:
    proposal = proposed(run_of(agent, alice), invoice, "cancel_invoice", reason="Withdrawn.")
    proposal.decline(by=alice, reason="A mistake.")
    assert proposal.status == "declined"


def test_separation_of_duties_holds_for_who_approves(agent: Any, bob: Any, alice: Any, root: Any) -> None:
    """``pay`` is not for whoever sent it, neither by asking nor by approving."""
    record = an_invoice(bob, "B-1")
    record.fire("send_invoice", actor=root)
    payer = somebody("payer", approver=Invoice)
    proposal = proposed(run_of(agent, payer), record, "pay_invoice", paid_on="2026-01-31")
    with pytest.raises(AccessDenied) as caught:
        proposal.approve(by=root)
    assert caught.value.code == "four_eyes"
    assert proposal.approve(by=payer).to_state == "paid"


def test_both_peoples_rights_are_read_while_the_record_is_held(
    agent: Any, alice: Any, clerk: Any, invoice: Invoice
) -> None:
    proposal = proposed(run_of(agent, alice), invoice)
    with statements() as sent:
        proposal.approve(by=clerk)
    held = max(place for place, sql in enumerate(sent) if 'FROM "billing_invoice"' in sql.replace("`", '"'))
    written = next(
        place for place, sql in enumerate(sent) if sql.startswith("UPDATE") and "billing_invoice" in sql
    )
    accounts = [place for place, sql in enumerate(sent) if " u LEFT JOIN " in sql and held < place < written]
    assert len(accounts) == 2  # alice's and the clerk's


def test_the_right_of_the_user_who_asked_counts_when_it_is_approved(
    agent: Any, bob: Any, root: Any, clerk: Any
) -> None:
    record = an_invoice(bob, "B-1")
    run = run_of(agent, clerk)
    proposal = proposed(run, record)
    revoke_role(clerk, "clerk", on=Invoice, by=SETUP)
    with pytest.raises(LifecycleError):
        proposal.approve(by=root)
    proposal.refresh_from_db()
    assert proposal.status in ("failed", "stale")
    assert state_of(record) == "draft"
    assert outcome(run, record)["success"] is False


def test_a_deactivated_user_has_nothing_approved(
    agent: Any, alice: Any, clerk: Any, invoice: Invoice
) -> None:
    proposal = proposed(run_of(agent, alice), invoice)
    get_user_model().objects.filter(pk=alice.pk).update(is_active=False)
    with pytest.raises(LifecycleError):
        proposal.approve(by=clerk)
    assert state_of(invoice) == "draft"


def test_a_mandate_that_was_taken_back_counts(alice: Any, clerk: Any, invoice: Invoice) -> None:
    with declared(lifecycle=Invoice, approval={"send_invoice": "always"}, key="billing.changing"):
        proposal = proposed(run_of("billing.changing", alice), invoice)
    with (
        declared(lifecycle=Invoice, events=["cancel"], key="billing.changing"),
        pytest.raises(AccessDenied),
    ):
        proposal.approve(by=clerk)
    proposal.refresh_from_db()
    assert (proposal.status, state_of(invoice)) == ("failed", "draft")


def test_who_may_not_decide_is_on_record(
    agent: Any, alice: Any, bob: Any, root: Any, invoice: Invoice
) -> None:
    proposal = proposed(run_of(agent, alice), invoice, "cancel_invoice", reason="Withdrawn.")
    for stranger in (bob, alice, System("night")):
        with pytest.raises(AccessDenied):
            proposal.approve(by=stranger)
    with pytest.raises(AccessDenied):
        proposal.decline(by=bob, reason="No.")
    assert not may_decide(proposal, bob)  # asking is no attempt
    found = RefusedAttempt.objects.filter(object_pk=str(invoice.pk)).order_by("pk")
    assert list(found.values_list("event", "code", "actor_kind", "actor_id", "surface")) == [
        ("cancel", "access_denied", "user", str(bob.pk), "approval"),
        ("cancel", "four_eyes", "user", str(alice.pk), "approval"),
        ("cancel", "access_denied", "system", "night", "approval"),
        ("cancel", "access_denied", "user", str(bob.pk), "approval"),
    ]


def test_a_proposal_names_its_record(agent: Any, alice: Any, invoice: Invoice) -> None:
    proposal = proposed(run_of(agent, alice), invoice)
    assert proposal.record == invoice
    invoice.delete()
    assert proposal.record is None


@pytest.mark.parametrize("ratio", [1e16, 1e22, -0.0, 1e-7, 5e-324, 1.5, 100.0, 10**30])
def test_a_number_that_a_database_writes_in_its_own_way_is_approved(root: Any, ratio: float) -> None:
    light = Light.objects.create()
    with declared(lifecycle=Light, approval={"switch_on": "always"}) as made:
        call_ = Call(run_of(made, root), registry.of(made), root, "x", {}, "toolu_2")
        scope = call_.profile.scopes[0]
        event = scope.table.events["switch_on"]
        proposal = propose(call_, scope, light, event, {"ratio": ratio, "list": [ratio]})
        assert proposal.arguments["ratio"] == ratio
        assert digest_of(Proposal.objects.get(pk=proposal.pk)) == proposal.digest
