"""What ``decide``, ``can_fire`` and ``available_events`` answer."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User

from fsm_lifecycle import Decision, System, UnknownEvent
from fsm_lifecycle.engine.decision import CODES
from tests.acting import ACTOR, statements
from tests.testapp.gates import Gate
from tests.testapp.models import Bell, Door, Expense, Invoice, Light

pytestmark = pytest.mark.django_db


def codes(decision: Decision) -> list[str]:
    return [denial.code for denial in decision.denials]


def test_an_allowed_decision_says_where_it_leads() -> None:
    light = Light.objects.create()
    decision = light.decide("switch_on")
    assert decision
    assert decision.allowed
    assert bool(decision) is True
    assert decision.event == Light.lifecycle.events["switch_on"]
    assert (decision.source, decision.target) == ("off", "on")
    assert decision.denials == ()
    assert decision.valid_sources == ("off",)


def test_an_unknown_event_is_decided_not_raised() -> None:
    decision = Light.objects.create().decide("dance")
    assert not decision
    assert codes(decision) == ["unknown_event"]
    assert decision.event is None
    assert codes(Light.objects.create().decide(Door.Lifecycle.open_up)) == ["unknown_event"]
    assert Light.objects.create().can_fire("dance") is False


def test_a_wrong_state_names_the_states_it_starts_from() -> None:
    decision = Light.objects.create().decide("switch_off")
    assert codes(decision) == ["wrong_state"]
    assert decision.valid_sources == ("on",)
    assert decision.denials[0].name == "switch_off"
    assert "on" in decision.denials[0].reason.lower()


def test_a_terminal_state_has_a_code_of_its_own() -> None:
    light = Light.objects.create()
    light.fire("smash", actor=ACTOR)
    assert codes(light.decide("switch_on")) == ["terminal_state"]


def test_every_reason_is_listed_in_the_order_in_which_they_are_judged() -> None:
    invoice = Invoice.objects.create()
    decision = invoice.decide(
        "pay", actor=AnonymousUser(), arguments={"paid_on": "never"}, expected_state="sent"
    )
    assert codes(decision) == ["access_denied", "stale_state", "wrong_state", "invalid_arguments"]
    assert [CODES.index(code) for code in codes(decision)] == sorted(CODES.index(c) for c in codes(decision))


def test_all_guards_are_asked_so_that_a_person_sees_every_reason_at_once() -> None:
    invoice = Invoice.objects.create(amount=Decimal(0), client_name="")
    decision = invoice.decide("send_invoice")
    assert codes(decision) == ["guard_failed", "guard_failed"]
    assert [d.reason for d in decision.denials] == [
        "The invoice total must be positive.",
        "Write the client's name first.",
    ]
    assert decision.failed_guards == ("has_positive_total", "has_client")
    assert [d.name for d in decision.denials] == ["has_positive_total", "has_client"]


def test_guards_that_passed_and_failed_are_told_apart() -> None:
    invoice = Invoice.objects.create(amount=Decimal(1), client_name="")
    decision = invoice.decide("send_invoice")
    assert decision.passed_guards == ("has_positive_total",)
    assert decision.failed_guards == ("has_client",)
    invoice.client_name = "Ann"
    assert invoice.decide("send_invoice").passed_guards == ("has_positive_total", "has_client")


def test_guards_are_not_asked_where_access_does_not_fit(seen: list[Any]) -> None:
    gate = Gate.objects.create(mode="false")
    decision = gate.decide("unlock", actor=AnonymousUser())
    assert codes(decision) == ["access_denied"]
    assert seen == []


def test_guards_are_not_asked_where_the_state_does_not_fit(seen: list[Any]) -> None:
    gate = Gate.objects.create()
    gate.fire("unlock", actor=ACTOR)
    seen.clear()
    assert codes(gate.decide("unlock", actor=ACTOR)) == ["wrong_state"]
    assert codes(gate.decide("push", actor=ACTOR, expected_state="shut")) == ["stale_state", "wrong_state"]
    assert seen == []


def test_guards_that_need_no_arguments_are_asked_even_where_the_arguments_are_wrong() -> None:
    gate = Gate.objects.create(mode="false", note="x")
    decision = gate.decide("push", arguments={"load": -1})
    assert codes(decision) == ["invalid_arguments", "guard_failed"]
    assert decision.pending_guards == ("is_small",)


def test_without_arguments_the_form_and_its_guards_are_pending() -> None:
    gate = Gate.objects.create(note="x")
    decision = gate.decide("push")
    assert decision.allowed
    assert decision.pending_guards == ("is_small",)
    assert decision.passed_guards == ("is_unlocked", "is_noted")


def test_with_arguments_the_form_and_its_guards_are_judged() -> None:
    gate = Gate.objects.create(note="x")
    assert gate.decide("push", arguments={"load": 3}).passed_guards == ("is_unlocked", "is_small", "is_noted")
    heavy = gate.decide("push", arguments={"load": 30})
    assert (codes(heavy), heavy.failed_guards, heavy.pending_guards) == (["guard_failed"], ("is_small",), ())
    wrong = gate.decide("push", arguments={})
    assert codes(wrong) == ["invalid_arguments"]
    assert wrong.denials[0].name == "load"


def test_without_an_actor_access_is_left_out_of_account() -> None:
    light = Light.objects.create()
    assert light.can_fire("switch_on")
    assert not light.can_fire("switch_on", AnonymousUser())
    assert light.can_fire("switch_on", actor=System("x"))


def test_anonymous_and_inactive_users_are_always_denied() -> None:
    light = Light.objects.create()
    gone = User.objects.create_superuser("gone", is_active=False)
    for actor in (AnonymousUser(), gone):
        assert codes(light.decide("switch_on", actor)) == ["access_denied"]
        assert light.available_events(actor) == []


def test_a_superuser_never_bypasses_the_table_or_the_guards() -> None:
    root = User.objects.create_superuser("root")
    assert codes(Light.objects.create().decide("switch_off", root)) == ["wrong_state"]
    assert codes(Invoice.objects.create().decide("send_invoice", root)) == ["guard_failed"] * 2


def test_expected_state_is_judged() -> None:
    light = Light.objects.create()
    assert light.decide("switch_on", expected_state="off").allowed
    assert codes(light.decide("switch_on", expected_state="on")) == ["stale_state"]
    assert not light.can_fire("switch_on", expected_state="on")


def test_available_events_come_in_declared_order_and_ask_guards() -> None:
    invoice = Invoice.objects.create(amount=Decimal(1))
    assert [e.name for e in invoice.available_events()] == ["cancel"]
    invoice.client_name = "Ann"
    assert [e.name for e in invoice.available_events()] == ["send_invoice", "cancel"]
    invoice.save()
    invoice.fire("send_invoice", actor=ACTOR)
    assert [e.name for e in invoice.available_events(ACTOR)] == ["pay", "mark_overdue", "cancel"]
    invoice.fire("pay", actor=ACTOR, arguments={"paid_on": date(2026, 1, 1)})
    assert [e.name for e in invoice.available_events()] == ["refund"]


def test_generated_questions_take_actor_and_arguments() -> None:
    gate: Any = Gate.objects.create(note="x")
    assert gate.can_push()
    assert gate.can_push(actor=ACTOR)
    assert not gate.can_push(actor=AnonymousUser())
    assert gate.can_push(load=2)
    assert not gate.can_push(load=200)
    assert gate.is_shut
    assert not gate.is_open


def test_a_branch_is_chosen_when_it_can_be() -> None:
    assert Expense.objects.create(amount=5000).decide("submit").target == "director_review"
    assert Expense.objects.create(amount=500).decide("submit").target == "manager_review"
    assert Expense.objects.create(amount=5).decide("submit").target == "approved"
    undecided = Gate.objects.create().decide("choose")
    assert undecided.allowed
    assert undecided.target is None
    assert undecided.pending_guards == ("is_heavy",)


def test_asking_reads_nothing_from_the_database() -> None:
    bell, gate, invoice = Bell.objects.create(), Gate.objects.create(note="x"), Invoice.objects.create()
    with statements() as sent:
        for record in (bell, gate, invoice):
            record.available_events()
            record.available_events(ACTOR)
            for event in record.lifecycle.events:
                record.can_fire(event)
                record.can_fire(event, ACTOR)
                record.decide(event)
    assert sent == []


def test_asking_changes_nothing_and_writes_no_refusal() -> None:
    from fsm_lifecycle.models import RefusedAttempt

    light = Light.objects.create()
    light.decide("switch_off", AnonymousUser())
    light.can_fire("dance")
    assert RefusedAttempt.objects.count() == 0
    assert light.log.count() == 1


def test_fire_raises_the_first_denial() -> None:
    gate = Gate.objects.create(mode="false")
    decision = gate.decide("push", ACTOR, {"load": -1})
    with pytest.raises(Exception, match="load") as caught:
        gate.fire("push", actor=ACTOR, arguments={"load": -1})
    assert caught.value.code == decision.denials[0].code == "invalid_arguments"  # type: ignore[attr-defined]
    assert caught.value.decision.denials == decision.denials  # type: ignore[attr-defined]


def test_an_unknown_event_raises_what_its_code_says() -> None:
    light = Light.objects.create()
    with pytest.raises(UnknownEvent) as caught:
        light.fire("dance", actor=ACTOR)
    assert caught.value.code == "unknown_event"


def test_an_unsaved_record_can_be_asked() -> None:
    invoice = Invoice(amount=Decimal(1), client_name="Ann")
    assert invoice.can_fire("send_invoice")
    assert [e.name for e in invoice.available_events()] == ["send_invoice", "cancel"]


def test_can_fire_takes_what_decide_takes() -> None:
    light = Light.objects.create()
    assert light.can_fire("switch_on", expected_state="off", expected_sequence=1)
    assert not light.can_fire("switch_on", expected_state="on")
    assert not light.can_fire("switch_on", expected_sequence=2)
