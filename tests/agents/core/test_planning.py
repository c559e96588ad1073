"""Plans: tried on the table first, decided as one by their strictest step, carried out all or none."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from fsm_lifecycle.agents.undecided import ProposalStale
from fsm_lifecycle.exceptions import AccessDenied, GuardFailed
from sample_project.billing.models import Invoice
from tests.agents.core.desk import call, declared, refusals, run_of, state_of
from tests.sample.making import an_invoice

pytestmark = pytest.mark.django_db

FREE = dict.fromkeys(Invoice.lifecycle.events, "never")


def step(record: Any, event: str, expected: str, **arguments: Any) -> dict[str, Any]:
    return {"event": event, "id": str(record.pk), "expected_state": expected, "arguments": arguments}


@pytest.fixture
def two(alice: Any) -> tuple[Invoice, Invoice]:
    """Two of Alice's invoices, due yesterday."""
    found = an_invoice(alice, "A-1"), an_invoice(alice, "A-2")
    Invoice.objects.update(due_on=timezone.localdate() - timedelta(days=1))
    return found


def test_a_plan_is_proposed_once_and_carried_out_whole(two: Any, clerk: Any) -> None:
    one, other = two
    with declared(lifecycle=Invoice) as agent:
        run = run_of(agent, clerk)
        steps = [
            step(one, "send_invoice", "draft"),
            step(other, "send_invoice", "draft"),
            step(one, "mark_overdue", "sent"),
            step(other, "cancel", "sent", reason="Withdrawn."),
        ]
        answer = call(run, "plan_invoices", "toolu_1", steps=steps)
        assert answer["code"] == "approval_required"
        assert (state_of(one), state_of(other)) == ("draft", "draft")
        proposal = run.proposals.get()
        assert proposal.is_plan
        entries = proposal.approve(by=clerk)
        done = call(run, "plan_invoices", "toolu_1", steps=steps)
    assert [entry.event for entry in entries] == ["send_invoice", "send_invoice", "mark_overdue", "cancel"]
    assert all(entry.fields["approval"].value["proposal"] == str(proposal.pk) for entry in entries)
    assert (state_of(one), state_of(other)) == ("overdue", "cancelled")
    assert [s["to"] for s in done["steps"]] == ["sent", "sent", "overdue", "cancelled"]


def test_one_refusal_when_it_is_carried_out_leaves_everything(two: Any, clerk: Any) -> None:
    one, other = two
    with declared(lifecycle=Invoice) as agent:
        run = run_of(agent, clerk)
        steps = [
            step(one, "send_invoice", "draft"),
            step(other, "send_invoice", "draft"),
            step(other, "mark_overdue", "sent"),
        ]
        call(run, "plan_invoices", steps=steps)
        Invoice.objects.filter(pk=other.pk).update(due_on=timezone.localdate())
        with pytest.raises(GuardFailed):
            run.proposals.get().approve(by=clerk)
    assert (state_of(one), state_of(other)) == ("draft", "draft")
    assert run.proposals.get().status == "failed"
    assert one.log.count() == 1


def test_a_plan_whose_record_moved_is_stale(two: Any, clerk: Any) -> None:
    one, other = two
    with declared(lifecycle=Invoice) as agent:
        run = run_of(agent, clerk)
        steps = [step(one, "send_invoice", "draft"), step(other, "send_invoice", "draft")]
        call(run, "plan_invoices", steps=steps)
        other.fire("send_invoice", actor=clerk)
        with pytest.raises(ProposalStale):
            run.proposals.get().approve(by=clerk)
    assert (state_of(one), run.proposals.get().status) == ("draft", "stale")


def test_the_strictest_step_rules(two: Any, clerk: Any, root: Any) -> None:
    one, other = two
    modes = {"send_invoice": "never", "mark_overdue": "always", "cancel": "four_eyes"}
    with declared(lifecycle=Invoice, approval=modes) as agent:
        for steps, mode in (
            ([step(one, "send_invoice", "draft"), step(one, "mark_overdue", "sent")], "always"),
            ([step(one, "send_invoice", "draft"), step(other, "cancel", "draft", reason="x")], "four_eyes"),
        ):
            run = run_of(agent, clerk)
            call(run, "plan_invoices", steps=steps)
            assert run.proposals.get().mode == mode
        with pytest.raises(AccessDenied):
            run.proposals.get().approve(by=clerk)
        run.proposals.get().approve(by=root)
    assert (state_of(one), state_of(other)) == ("sent", "cancelled")


def test_a_plan_that_no_step_of_takes_a_person_is_carried_out_at_once(two: Any, clerk: Any) -> None:
    one, other = two
    with declared(lifecycle=Invoice, approval=FREE) as agent:
        run = run_of(agent, clerk)
        steps = [step(one, "send_invoice", "draft"), step(other, "send_invoice", "draft")]
        answer = call(run, "plan_invoices", "toolu_1", steps=steps)
        assert answer["success"]
        assert answer == call(run, "plan_invoices", "toolu_1", steps=steps)
        Invoice.objects.filter(pk=other.pk).update(due_on=timezone.localdate())
        steps = [step(one, "mark_overdue", "sent"), step(other, "mark_overdue", "sent")]
        answer = call(run, "plan_invoices", steps=steps)
    # The second step was refused, so the first one did not happen either.
    assert (answer["code"], answer["step"]) == ("guard_failed", 2)
    assert (state_of(one), state_of(other)) == ("sent", "sent")
    assert one.log.count() == 2


WRONG: dict[str, tuple[Any, str, int | None]] = {
    "no steps": ([], "invalid_arguments", None),
    "no list": ("cancel everything", "invalid_arguments", None),
    "too many": (
        [{"event": "send_invoice", "id": "1", "expected_state": "draft"}] * 51,
        "invalid_arguments",
        None,
    ),
    "a step that is none": (["cancel"], "invalid_arguments", 1),
    "a user in a step": (
        [{"event": "send_invoice", "id": "1", "expected_state": "draft", "user": "1"}],
        "unknown_argument",
        1,
    ),
}


@pytest.mark.parametrize(("steps", "code", "place"), WRONG.values(), ids=WRONG)
def test_what_is_no_plan_is_refused(steps: Any, code: str, place: int | None, two: Any, clerk: Any) -> None:
    with declared(lifecycle=Invoice) as agent:
        answer = call(run_of(agent, clerk), "plan_invoices", steps=steps)
    assert (answer["code"], answer.get("step")) == (code, place)


def test_a_wrong_step_is_found_on_the_table_named_and_put_on_record(
    two: Any, alice: Any, other: Invoice
) -> None:
    one, _ = two
    fine = step(one, "send_invoice", "draft")
    with declared(lifecycle=Invoice) as agent:
        run = run_of(agent, alice)
        for wrong, code in (
            (step(one, "fly", "draft"), "unknown_event"),
            (step(one, "pay", "sent", paid_on="2026-01-01"), "access_denied"),
            (step(one, "send_invoice", "sent"), "wrong_state"),
            (step(one, "cancel", "draft", reason="x"), "stale_state"),
            (step(one, "cancel", "sent", reason=["x"]), "invalid_arguments"),
            (step(one, "cancel", "sent", reason=""), "invalid_arguments"),
            (step(one, "cancel", "sent", reason="x", user="1"), "unknown_argument"),
            (step(other, "cancel", "draft", reason="x"), "not_found"),
            ({**step(one, "cancel", "sent", reason="x"), "id": "999999"}, "not_found"),
        ):
            answer = call(run, "plan_invoices", steps=[fine, wrong])
            assert (answer["code"], answer["step"]) == (code, 2), answer
    assert not run.proposals.exists()
    assert state_of(one) == "draft"
    assert [code for _, code in refusals(one)] == [
        "unknown_event",
        "access_denied",
        "wrong_state",
        "stale_state",
        "invalid_arguments",
        "invalid_arguments",
        "unknown_argument",
    ]
    assert refusals(other) == [("cancel", "access_denied")]


def test_an_event_outside_the_agents_list_is_refused_inside_a_plan_too(two: Any, clerk: Any) -> None:
    with declared(lifecycle=Invoice, events=["send_invoice"], approval=FREE) as agent:
        run = run_of(agent, clerk)
        answer = call(run, "plan_invoices", steps=[step(two[0], "cancel", "draft", reason="x")])
    assert (answer["code"], state_of(two[0])) == ("access_denied", "draft")


def test_a_step_that_is_none_is_on_record_where_its_record_is_known(two: Any, clerk: Any) -> None:
    one, other = two
    with declared(lifecycle=Invoice) as agent:
        run = run_of(agent, clerk)
        good = step(one, "send_invoice", "draft")
        bad = {**step(other, "send_invoice", "draft"), "user": "root"}
        answer = call(run, "plan_invoices", steps=[good, bad])
        assert (answer["code"], answer["step"]) == ("unknown_argument", 2)
        assert answer["reasons"][0].startswith(
            "steps[1].user: There is no such argument. It takes: event, id,"
        )
        assert call(run, "list_invoices", filters={"secret": "x"})["code"] == "unknown_argument"
    assert (refusals(one), refusals(other)) == ([], [("send_invoice", "unknown_argument")])
