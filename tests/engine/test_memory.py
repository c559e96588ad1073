"""The record in memory: what it was before whenever ``fire`` raises, and told when it is ahead of the database."""

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django_fsm.signals import post_transition, pre_transition

from fsm_lifecycle import ActorRequired, CauseLoop, LifecycleError, StaleState
from fsm_lifecycle.models import TransitionLog
from tests.acting import ACTOR, memory_of, rolled_back
from tests.testapp.gates import Gate
from tests.testapp.models import Bell, Document, Invoice, Light, Report

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("event", "options"),
    [
        ("dance", {}),
        ("close", {}),
        ("remove", {"expected_state": "open"}),
        ("remove", {"expected_sequence": 7}),
        ("remove", {"actor": AnonymousUser()}),
        ("remove", {"arguments": {"x": 1}}),
        ("remove", {"metadata": {"x": {1}}}),
        ("remove", {"idempotency_key": ""}),
        ("remove", {"occurred_at": "now"}),
        ("unlock", {}),
        ("push", {"arguments": {"load": 99}}),
        ("carry", {"arguments": {"load": -1}}),
        ("break_open", {}),
        ("break_late", {}),
    ],
)
def test_every_failure_leaves_it_as_it_was(event: str, options: dict[str, Any]) -> None:
    partner = Gate.objects.create()
    gate = Gate.objects.create(mode="false", partner=partner, extra={"a": [1]})
    loaded: Any = Gate.objects.select_related("partner").get(pk=gate.pk)
    loaded.mood = "calm"
    Gate.objects.filter(pk=gate.pk).update(note="by somebody else")
    before = memory_of(loaded)
    count = TransitionLog.objects.count()

    with pytest.raises((LifecycleError, RuntimeError)):
        loaded.fire(event, **{"actor": ACTOR, **options})

    assert memory_of(loaded) == before
    assert loaded.partner is before["fields_cache"]["partner"]
    assert TransitionLog.objects.count() == count
    assert Gate.objects.get(pk=gate.pk).state == "shut"


def test_nobody_acting_and_a_loop_leave_it_as_it_was() -> None:
    light = Light.objects.create()
    before = memory_of(light)
    with pytest.raises(ActorRequired):
        light.fire("switch_on")
    assert memory_of(light) == before
    bell = Bell.objects.create()
    bell.next_bell = bell
    bell.save()
    before = memory_of(bell)
    with pytest.raises(CauseLoop):
        bell.fire("ring", actor=ACTOR)
    assert memory_of(bell) == before


@pytest.mark.parametrize("signal", [pre_transition, post_transition])
def test_a_receiver_of_a_signal_that_raises_leaves_it_as_it_was(signal: Any) -> None:
    def receiver(sender: Any, **kwargs: Any) -> None:
        raise RuntimeError("no")

    light = Light.objects.create()
    before = memory_of(light)
    signal.connect(receiver, sender=Light)
    try:
        with pytest.raises(RuntimeError):
            light.fire("switch_on", actor=ACTOR)
    finally:
        signal.disconnect(receiver, sender=Light)
    assert memory_of(light) == before
    assert Light.objects.get().state == "off"
    assert light.log.count() == 1


@pytest.mark.parametrize(("event", "then"), [("switch_on", "switch_off"), ("switch_on", "switch_on")])
def test_after_an_outer_rollback_memory_is_ahead_and_the_next_firing_says_so(event: str, then: str) -> None:
    light = Light.objects.create()
    with rolled_back():
        light.fire(event, actor=ACTOR)
    assert light.state == "on"
    with pytest.raises(StaleState):
        light.fire(then, actor=ACTOR)
    light.refresh_from_db()
    assert light.fire("switch_on", actor=ACTOR).sequence == 2


def test_after_an_outer_rollback_a_guarded_firing_says_so_too() -> None:
    gate = Gate.objects.create()
    with rolled_back():
        gate.fire("unlock", actor=ACTOR)
    with pytest.raises(StaleState):
        gate.fire("pass_by", actor=ACTOR)
    with pytest.raises(StaleState):
        gate.fire("unlock", actor=ACTOR)
    gate.refresh_from_db()
    assert gate.fire("unlock", actor=ACTOR)


def test_after_a_rolled_back_savepoint_too() -> None:
    light = Light.objects.create()
    with transaction.atomic():
        with rolled_back():
            light.fire("switch_on", actor=ACTOR)
        with pytest.raises(StaleState):
            light.fire("switch_off", actor=ACTOR)


def test_a_rolled_back_creation_cannot_be_fired() -> None:
    with rolled_back():
        light = Light.objects.create()
    with pytest.raises(StaleState, match="no longer"):
        light.fire("switch_on", actor=ACTOR)


def test_there_and_back_between_load_and_firing_is_noticed() -> None:
    stale, other = Light.objects.create(), Light.objects.get()
    other.fire("switch_on", actor=ACTOR)
    other.fire("switch_off", actor=ACTOR)
    with pytest.raises(StaleState):
        stale.fire("switch_on", actor=ACTOR)
    assert other.log.count() == 3


def test_returning_to_the_own_state_between_load_and_firing_is_noticed() -> None:
    light = Light.objects.create()
    light.fire("switch_on", actor=ACTOR)
    stale = Light.objects.get()
    light.fire("blink", actor=ACTOR)
    with pytest.raises(StaleState):
        stale.fire("blink", actor=ACTOR)
    assert light.log.count() == 3


@pytest.mark.parametrize("event", ["unlock", "swing", "remove"])
def test_the_second_of_two_copies_loses_and_leaves_no_trace_in_the_log(event: str) -> None:
    first = Gate.objects.create()
    second = Gate.objects.get()
    first.fire("unlock", actor=ACTOR)
    with pytest.raises(StaleState):
        second.fire(event, actor=ACTOR)
    assert first.log.count() == 2


def test_expectations_that_hold_do_no_harm() -> None:
    light = Light.objects.create()
    light.fire("switch_on", actor=ACTOR, expected_state="off", expected_sequence=1)
    light.fire("switch_off", actor=ACTOR, expected_state=Light.Lifecycle.on, expected_sequence=2)
    with pytest.raises(StaleState) as caught:
        light.fire("switch_on", actor=ACTOR, expected_state="on")
    assert caught.value.code == "stale_state"
    with pytest.raises(StaleState):
        light.fire("switch_on", actor=ACTOR, expected_sequence=2)
    assert light.log.count() == 3


def test_a_terminal_state_is_final_and_only_a_compensating_event_leaves_it() -> None:
    from fsm_lifecycle import InvalidTransition, TerminalState

    invoice = Invoice.objects.create(amount=1, client_name="Ann")
    invoice.fire("send_invoice", actor=ACTOR)
    assert not invoice.fire("pay", actor=ACTOR, arguments={"paid_on": "2026-01-01"}).compensating
    with pytest.raises(TerminalState) as caught:
        invoice.fire("cancel", actor=ACTOR)
    assert isinstance(caught.value, InvalidTransition)
    assert caught.value.code == "terminal_state"
    entry = invoice.fire("refund", actor=ACTOR)
    assert entry.compensating
    assert invoice.log.get(pk=entry.pk).compensating


def test_a_parent_taken_from_its_child_has_no_edits_after_a_firing_that_failed() -> None:
    document = Report.objects.create(title="old").document_ptr
    Document.objects.filter(pk=document.pk).update(title="new")

    def refuse(**kwargs: Any) -> None:
        raise RuntimeError("no")

    pre_transition.connect(refuse, sender=Document)
    try:
        with pytest.raises(RuntimeError):
            document.fire("finish", actor=ACTOR)
    finally:
        pre_transition.disconnect(refuse, sender=Document)
    assert document.title == "old"
    assert document.fire("finish", actor=ACTOR).to_state == "final"
