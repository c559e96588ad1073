"""An agent's own tools: trusted code that a model calls, with the agent as the actor and no more rights than that."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from django.contrib.auth import get_user_model

from fsm_lifecycle import Agent, System
from fsm_lifecycle.agents import tool
from fsm_lifecycle.exceptions import AccessDenied, ApprovalRequired
from sample_project.billing.models import Invoice
from tests.agents.core.desk import call, declared, refusals, run_of, state_of
from tests.sample.making import an_invoice

pytestmark = pytest.mark.django_db

SECRET = "swordfish-7f3a"
FREE = {"send_invoice": "never", "cancel": "never", "mark_overdue": "never", "pay": "never"}


@pytest.fixture
def secretive(alice: Any, bob: Any) -> tuple[Invoice, Invoice]:
    """Alice's invoice with a secret in every field but the number, and Bob's with one in every field."""
    hidden = {"client_name": SECRET, "client_email": f"{SECRET}@example.com"}
    mine = an_invoice(alice, "A-1")
    Invoice.objects.filter(pk=mine.pk).update(**hidden)
    theirs = an_invoice(bob, SECRET)
    Invoice.objects.filter(pk=theirs.pk).update(**hidden)
    return Invoice.objects.get(pk=mine.pk), Invoice.objects.get(pk=theirs.pk)


def fires_alone(self: Any, run: Any, number: str) -> str:
    """Cancels an invoice."""
    Invoice.objects.get(number=number).cancel(reason="own tool")
    return "done"


def swallows(self: Any, run: Any, number: str) -> str:
    """Tries to cancel an invoice and says that it did."""
    try:
        Invoice.objects.get(number=number).cancel(reason="own tool")
    except ApprovalRequired:
        return "refused"
    return "done"


def fires_many(self: Any, run: Any) -> int:
    """Cancels everything."""
    return Invoice.objects.all().fire("cancel", arguments={"reason": "all"}).succeeded


def approves(self: Any, run: Any) -> str:
    """Approves what it asked for itself."""
    run.proposals.get().approve(by=run.user)
    return "done"


def leaks(self: Any, run: Any) -> str:
    """Fails."""
    raise RuntimeError(f"postgres://admin:{SECRET}@db/")


def writes_then_fails(self: Any, run: Any, number: str) -> str:
    """Sends an invoice, and fails after that."""
    Invoice.objects.get(number=number).send_invoice()
    raise RuntimeError("after the fact")


def returns_a_record(self: Any, run: Any, number: str) -> Any:
    """One invoice."""
    return Invoice.objects.get(number=number)


def returns_rows(self: Any, run: Any) -> Any:
    """All invoices."""
    return Invoice.objects.order_by("pk")


def takes_a_record(self: Any, run: Any, invoice: Invoice) -> str:
    """The number of an invoice."""
    return invoice.number


OWN = {
    f.__name__: tool(f)
    for f in (
        fires_alone, swallows, fires_many, approves, leaks, writes_then_fails, returns_a_record, returns_rows,
        takes_a_record,
    )
}  # fmt: skip


def test_an_own_tool_fires_nothing_that_a_person_has_to_approve(invoice: Invoice, alice: Any) -> None:
    with declared(lifecycle=Invoice, **OWN) as agent:
        run = run_of(agent, alice)
        assert call(run, "fires_alone", number="A-1")["code"] == "approval_required"
        assert call(run, "swallows", number="A-1")["untrusted"] == "refused"
        assert call(run, "fires_many")["untrusted"] == 0
    assert state_of(invoice) == "draft"
    assert refusals(invoice) == [("cancel", "approval_required")] * 3
    assert not run.proposals.exists()


def test_an_own_tool_fires_nothing_outside_the_agents_list(invoice: Invoice, alice: Any) -> None:
    with declared(lifecycle=Invoice, events=["send_invoice"], approval=FREE, **OWN) as agent:
        assert call(run_of(agent, alice), "fires_alone", number="A-1")["code"] == "access_denied"
    assert (state_of(invoice), refusals(invoice)) == ("draft", [("cancel", "access_denied")])


def test_an_own_tool_fires_by_the_users_rights(other: Invoice, alice: Any) -> None:
    with declared(lifecycle=Invoice, approval=FREE, **OWN) as agent:
        assert call(run_of(agent, alice), "fires_alone", number="B-1")["code"] == "access_denied"
    assert state_of(other) == "draft"


def test_an_own_tool_that_may_fire_is_on_record_as_the_agent(invoice: Invoice, alice: Any) -> None:
    with declared(lifecycle=Invoice, approval=FREE, **OWN) as agent:
        run = run_of(agent, alice, model="scripted/x")
        assert call(run, "fires_alone", "toolu_9", number="A-1")["success"]
    entry = invoice.log.get(event="cancel")
    assert (entry.actor_kind, entry.actor_id, entry.event) == ("agent", str(alice.pk), "cancel")
    told = entry.fields["run"].value
    assert told == {
        "id": str(run.pk),
        "agent": run.agent,
        "model": "scripted/x",
        "surface": "code",
        "call": "toolu_9",
    }


def test_an_agent_approves_nothing(invoice: Invoice, alice: Any) -> None:
    with declared(lifecycle=Invoice, approval={"cancel": "always"}, **OWN) as agent:
        run = run_of(agent, alice)
        asked = call(run, "cancel_invoice", id=str(invoice.pk), expected_state="draft", reason="x")
        assert asked["code"] == "approval_required"
        assert call(run, "approves")["code"] == "access_denied"
        with pytest.raises(AccessDenied):
            run.proposals.get().approve(by=Agent(run))
        with pytest.raises(AccessDenied):
            run.proposals.get().approve(by=System("night"))
    assert (state_of(invoice), run.proposals.get().status) == ("draft", "pending")


def test_an_exception_tells_the_model_nothing(
    alice: Any, invoice: Invoice, caplog: pytest.LogCaptureFixture
) -> None:
    with declared(lifecycle=Invoice, **OWN) as agent, caplog.at_level(logging.ERROR):
        run = run_of(agent, alice)
        answer = call(run, "leaks")
    assert answer["code"] == "tool_failed"
    assert SECRET not in json.dumps([answer, list(run.events.values_list("payload", flat=True))])
    assert SECRET in caplog.text  # where the people of the server look


def test_an_own_tool_that_fails_leaves_nothing_behind(invoice: Invoice, alice: Any) -> None:
    with declared(lifecycle=Invoice, approval=FREE, **OWN) as agent:
        answer = call(run_of(agent, alice), "writes_then_fails", number="A-1")
    assert answer["code"] == "tool_failed"
    assert (state_of(invoice), invoice.log.count()) == ("draft", 1)


def test_records_that_an_own_tool_returns_are_shown_as_everywhere(
    secretive: tuple[Invoice, Invoice], alice: Any
) -> None:
    with declared(lifecycle=Invoice, fields=["number"], **OWN) as agent:
        run = run_of(agent, alice)
        answer = call(run, "returns_a_record", number="A-1")
        assert answer["untrusted"]["untrusted"] == {"number": "A-1"}
        assert SECRET not in json.dumps(answer)
        assert call(run, "returns_a_record", number=SECRET)["code"] == "not_found"
        assert call(run, "returns_rows")["code"] == "not_found"


def test_a_record_is_given_to_an_own_tool_by_an_id_that_the_user_may_see(
    invoice: Invoice, other: Invoice, alice: Any
) -> None:
    with declared(lifecycle=Invoice, **OWN) as agent:
        run = run_of(agent, alice)
        assert call(run, "takes_a_record", invoice=str(invoice.pk))["untrusted"] == "A-1"
        assert call(run, "takes_a_record", invoice=str(other.pk))["code"] == "not_found"
        assert call(run, "takes_a_record", invoice=7)["code"] == "invalid_arguments"
        assert call(run, "takes_a_record", invoice=str(invoice.pk), user="1")["code"] == "unknown_argument"


def test_a_tool_is_told_of_the_user_as_the_database_has_it_now(alice: Any) -> None:
    def root(self: Any, run: Any) -> bool:
        """Whether its user is a superuser."""
        return bool(run.user.is_superuser)

    with declared(lifecycle=Invoice, root=tool(root)) as agent:
        run = run_of(agent, alice)
        assert call(run, "root")["untrusted"] is False
        get_user_model().objects.filter(pk=alice.pk).update(is_superuser=True)
        assert call(run, "root")["untrusted"] is True
