"""To code written for django-fsm-2, an event is an ordinary transition; calling it goes through `fire()`."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django_fsm import TransitionNotAllowed, can_proceed, has_transition_perm

from fsm_lifecycle import GuardFailed, InvalidTransition, System, acting_as
from tests.testapp.models import DisputedInvoice, Door, Expense, Invoice, Light, Treaty

pytestmark = pytest.mark.django_db

ROBOT = System("robot")


@pytest.fixture
def invoice() -> Any:
    return Invoice.objects.create(amount=10, client_name="Ada")


def names(transitions: Any) -> list[str]:
    return [transition.name for transition in transitions]


# --- what it offers ---------------------------------------------------------------------------------------------


def test_available_transitions_are_those_that_would_be_allowed(invoice: Any) -> None:
    assert names(invoice.get_available_state_transitions()) == ["send_invoice", "cancel"]
    invoice.fire("send_invoice", actor=ROBOT)
    assert names(invoice.get_available_state_transitions()) == ["pay", "mark_overdue", "cancel"]


def test_a_guard_that_denies_takes_a_transition_off_the_list(invoice: Any) -> None:
    Invoice.objects.update(amount=0)
    invoice.refresh_from_db()
    assert names(invoice.get_available_state_transitions()) == ["cancel"]


def test_all_transitions_are_the_rows_of_the_table(invoice: Any) -> None:
    rows = {(t.name, t.source, t.target) for t in invoice.get_all_state_transitions()}
    assert rows == {(r.event.name, r.source, r.target) for r in Invoice.lifecycle.transitions}


def test_a_transition_carries_the_label(invoice: Any) -> None:
    labels = {t.name: t.custom["label"] for t in invoice.get_all_state_transitions()}
    assert labels["send_invoice"] == "Send invoice"


def test_a_branch_names_every_state_it_may_lead_to() -> None:
    expense: Any = Expense.objects.create()
    (submit,) = [t for t in expense.get_all_state_transitions() if t.name == "submit"]
    assert set(submit.target.allowed_states) == {"director_review", "manager_review", "approved"}


def test_transitions_for_a_user_are_those_the_user_may_fire(invoice: Any) -> None:
    alice = User.objects.create(username="alice")
    assert names(invoice.get_available_user_state_transitions(alice)) == ["send_invoice", "cancel"]
    assert names(invoice.get_available_user_state_transitions(AnonymousUser())) == []
    alice.is_active = False
    assert names(invoice.get_available_user_state_transitions(alice)) == []


def test_a_renamed_column_renames_the_methods() -> None:
    door: Any = Door.objects.create(code="front")
    assert names(door.get_available_position_transitions()) == ["open_up"]
    assert not hasattr(door, "get_available_state_transitions")


def test_a_child_offers_its_own_table() -> None:
    invoice: Any = DisputedInvoice.objects.create(amount=10, client_name="Ada")
    invoice.fire("send_invoice", actor=ROBOT)
    assert "dispute" in names(invoice.get_available_state_transitions())
    assert "dispute" not in names(Invoice.objects.get().get_available_state_transitions())
    treaty: Any = Treaty.objects.create(title="x")
    assert names(treaty.get_available_state_transitions()) == ["finish", "sign"]


# --- what may be asked of a transition ----------------------------------------------------------------------------


def test_can_proceed_says_what_can_fire_says(invoice: Any) -> None:
    assert can_proceed(invoice.send_invoice)
    assert not can_proceed(invoice.pay)
    for event in Invoice.lifecycle.events:
        assert can_proceed(getattr(invoice, event)) is invoice.can_fire(event)


def test_can_proceed_may_leave_guards_aside(invoice: Any) -> None:
    Invoice.objects.update(amount=0)
    invoice.refresh_from_db()
    assert not can_proceed(invoice.send_invoice)
    assert can_proceed(invoice.send_invoice, check_conditions=False)
    assert not can_proceed(invoice.pay, check_conditions=False)


def test_has_transition_perm_asks_for_the_user(invoice: Any) -> None:
    alice = User.objects.create(username="alice")
    assert has_transition_perm(invoice.send_invoice, alice)
    assert not has_transition_perm(invoice.send_invoice, AnonymousUser())
    assert not has_transition_perm(invoice.pay, alice)


def test_a_method_that_is_no_event_is_no_transition(invoice: Any) -> None:
    with pytest.raises(TypeError, match="is not transition"):
        can_proceed(invoice.save)


# --- calling it -----------------------------------------------------------------------------------------------------


def test_calling_an_event_fires_it(invoice: Any) -> None:
    entry = invoice.send_invoice(actor=ROBOT)
    assert (entry.event, entry.from_state, entry.to_state) == ("send_invoice", "draft", "sent")
    assert invoice.state == Invoice.objects.get().state == "sent"
    assert invoice.log.last() == entry


def test_calling_an_event_acts_as_the_current_actor(invoice: Any) -> None:
    with acting_as(ROBOT):
        assert invoice.cancel().actor_id == "robot"


def test_arguments_are_named_in_the_call(invoice: Any) -> None:
    invoice.send_invoice(actor=ROBOT)
    entry = invoice.pay(actor=ROBOT, paid_on="2026-11-20", note="thanks")
    assert entry.arguments["note"] == "thanks"
    assert str(Invoice.objects.get().paid_on) == "2026-11-20"


def test_expectations_are_named_in_the_call(invoice: Any) -> None:
    with pytest.raises(Exception, match="as expected"):
        invoice.send_invoice(actor=ROBOT, expected_state="sent")
    with pytest.raises(Exception, match="as expected"):
        invoice.send_invoice(actor=ROBOT, expected_sequence=9)
    assert invoice.send_invoice(actor=ROBOT, expected_state="draft", expected_sequence=1)


def test_a_refused_call_is_a_transition_not_allowed(invoice: Any) -> None:
    with pytest.raises(TransitionNotAllowed) as caught:
        invoice.pay(actor=ROBOT, paid_on="2026-11-20")
    assert isinstance(caught.value, InvalidTransition)
    Invoice.objects.update(amount=0)
    invoice.refresh_from_db()
    with pytest.raises(TransitionNotAllowed) as caught:
        invoice.send_invoice(actor=ROBOT)
    assert isinstance(caught.value, GuardFailed)
    assert invoice.state == "draft"


def test_a_call_takes_no_positional_arguments(invoice: Any) -> None:
    with pytest.raises(TypeError):
        invoice.cancel(ROBOT)


def test_can_asks_the_same_as_can_fire(invoice: Any) -> None:
    assert invoice.can_send_invoice()
    assert invoice.can_send_invoice(actor=ROBOT)
    assert not invoice.can_send_invoice(actor=AnonymousUser())
    assert not invoice.can_pay()
    invoice.send_invoice(actor=ROBOT)
    assert invoice.can_pay()
    assert not invoice.can_pay(paid_on="never")
    assert invoice.can_pay(paid_on="2026-11-20")
    assert not invoice.can_pay(paid_on="2199-11-20")


def test_every_state_has_a_question() -> None:
    light: Any = Light.objects.create()
    assert (light.is_off, light.is_on, light.is_broken) == (True, False, False)
    light.switch_on(actor=ROBOT)
    assert (light.is_off, light.is_on, light.is_broken) == (False, True, False)


def test_the_questions_stay_right_when_the_state_was_deferred() -> None:
    Light.objects.create()
    light: Any = Light.objects.defer("state").get()
    assert light.is_off
    assert names(Light.objects.defer("state").get().get_available_state_transitions()) == [
        "switch_on",
        "smash",
    ]
