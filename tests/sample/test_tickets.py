"""What a help desk forbids, and what it allows."""

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone

from fsm_lifecycle import System
from fsm_lifecycle.access import grant_role
from fsm_lifecycle.exceptions import GuardFailed, InvalidArguments, InvalidTransition, TerminalState
from sample_project.helpdesk.models import Ticket

pytestmark = [pytest.mark.once, pytest.mark.django_db]


def somebody(username: str, *roles: str) -> Any:
    user = get_user_model().objects.create_user(username)
    for role in roles:
        grant_role(user, role, on=Ticket, by=System("tests"))
    return user


@pytest.fixture
def alice() -> Any:
    return somebody("alice", "supervisor", "developer")


@pytest.fixture
def bruno() -> Any:
    return somebody("bruno", "agent", "developer")


@pytest.fixture
def ticket() -> Ticket:
    ticket: Ticket = Ticket.objects.create(
        number=1,
        opened_at=timezone.now(),
        customer="Customer 1",
        product="Product 1",
        workgroup="Workgroup 1",
        service_level=1,
        service_type=1,
        responsible_section=1,
        support_section=1,
    )
    return ticket


def test_a_ticket_that_nobody_took_or_classified_is_not_resolved(ticket: Ticket, alice: Any) -> None:
    with pytest.raises(InvalidTransition):
        ticket.fire("resolve", actor=alice)

    assert ticket.is_new


def test_a_classified_ticket_may_be_resolved_at_once(ticket: Ticket, alice: Any) -> None:
    ticket.fire("assign_seriousness", actor=alice, arguments={"seriousness": 2})
    ticket.fire("resolve", actor=alice)

    assert ticket.is_resolved
    assert ticket.seriousness == 2


@pytest.mark.parametrize("seriousness", ["", 0, 5, "high"])
def test_a_seriousness_is_a_code_from_1_to_4(ticket: Ticket, alice: Any, seriousness: Any) -> None:
    with pytest.raises(InvalidArguments) as refused:
        ticket.fire("assign_seriousness", actor=alice, arguments={"seriousness": seriousness})

    assert set(refused.value.errors) == {"seriousness"}


def test_a_ticket_that_was_not_resolved_is_not_closed(ticket: Ticket, alice: Any) -> None:
    ticket.fire("take_in_charge", actor=alice)

    with pytest.raises(InvalidTransition):
        ticket.fire("close", actor=alice)


def closed(ticket: Ticket, actor: Any) -> Ticket:
    for event in ("take_in_charge", "resolve", "close"):
        ticket.fire(event, actor=actor)
    return ticket


@pytest.mark.parametrize("event", sorted(set(Ticket.lifecycle.events) - {"reopen"}))
def test_nothing_but_reopening_leaves_closed(ticket: Ticket, alice: Any, event: str) -> None:
    closed(ticket, alice)

    with pytest.raises(TerminalState):
        ticket.fire(event, actor=alice, arguments={"seriousness": 1} if event == "assign_seriousness" else {})


def test_reopening_wants_a_reason_and_is_marked_as_compensating(ticket: Ticket, alice: Any) -> None:
    closed(ticket, alice)

    with pytest.raises(InvalidArguments):
        ticket.fire("reopen", actor=alice)
    entry = ticket.fire("reopen", actor=alice, arguments={"reason": "It is back."})

    assert entry.compensating
    assert entry.arguments == {"reason": "It is back."}
    assert ticket.is_in_progress


def test_closing_keeps_what_the_ticket_was_about(ticket: Ticket, alice: Any) -> None:
    closed(ticket, alice)

    snapshot = ticket.last_snapshot
    assert snapshot is not None
    assert snapshot.snapshot_reason == "terminal"
    assert snapshot.snapshot is not None
    assert snapshot.snapshot["customer"] == "Customer 1"


def test_taking_a_ticket_in_charge_puts_down_who_has_it(ticket: Ticket, alice: Any, bruno: Any) -> None:
    ticket.fire("take_in_charge", actor=alice)
    ticket.fire("take_in_charge", actor=bruno)

    ticket.refresh_from_db()
    assert ticket.assignee == bruno


def test_nobody_takes_over_from_themselves(ticket: Ticket, alice: Any) -> None:
    ticket.fire("take_in_charge", actor=alice)

    with pytest.raises(GuardFailed, match="You have this ticket in charge already"):
        ticket.fire("take_in_charge", actor=alice)
    ticket.fire("wait", actor=alice)
    ticket.fire("take_in_charge", actor=alice)

    assert ticket.is_in_progress


def test_an_anomaly_needs_a_seriousness(ticket: Ticket, alice: Any) -> None:
    ticket.fire("take_in_charge", actor=alice)

    assert not ticket.can_create_anomaly(actor=alice)
    with pytest.raises(GuardFailed, match="Assign a seriousness first"):
        ticket.create_anomaly(actor=alice)


def test_a_verdict_on_an_anomaly_needs_an_anomaly(ticket: Ticket, alice: Any, bruno: Any) -> None:
    ticket.assign_seriousness(actor=alice, seriousness=1)
    ticket.take_in_charge(actor=alice)
    ticket.resolve(actor=alice)
    with pytest.raises(GuardFailed, match="No software anomaly"):
        ticket.mark_verified(actor=bruno)

    ticket.take_in_charge(actor=alice)
    ticket.create_anomaly(actor=alice)
    ticket.mark_invalid(actor=bruno)

    assert ticket.is_resolved


def test_a_solution_is_logged_without_what_was_left_empty(ticket: Ticket, alice: Any) -> None:
    ticket.take_in_charge(actor=alice)
    with pytest.raises(InvalidArguments, match="at least 20 characters"):
        ticket.resolve(actor=alice, solution="Too short.")

    told = ticket.resolve(actor=alice, solution="Restarted the print service.", cause="", minutes=None)
    ticket.take_in_charge(actor=alice)
    untold = ticket.resolve(actor=alice)

    assert told.arguments == {"solution": "Restarted the print service."}
    assert not untold.arguments
