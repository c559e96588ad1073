"""Firings inside effects: what they may catch, what they must not hide, what memory says afterwards."""

import contextlib

import pytest
from django.db import DatabaseError

from fsm_lifecycle import Firing, GuardFailed, InvalidTransition, StaleState
from fsm_lifecycle.models import RefusedAttempt
from tests.acting import ACTOR, memory_of
from tests.testapp.gates import ORDERS, Gate
from tests.testapp.models import Door, Light

pytestmark = pytest.mark.django_db


def test_an_effect_may_catch_the_refusal_of_another_record_and_go_on() -> None:
    locked = Gate.objects.create(mode="false")

    def order(gate: Gate, firing: Firing) -> None:
        with pytest.raises(GuardFailed):
            locked.fire("unlock", actor=firing.actor)
        gate.note = "went on"
        gate.save(update_fields=["note"])

    ORDERS.append(order)
    gate = Gate.objects.create()
    assert gate.fire("obey", actor=ACTOR).to_state == "open"
    assert Gate.objects.get(pk=gate.pk).note == "went on"
    assert RefusedAttempt.objects.get().object_pk == str(locked.pk)
    assert locked.log.count() == 1


def test_an_effect_may_catch_the_refusal_of_its_own_record_and_go_on() -> None:
    def order(gate: Gate, firing: Firing) -> None:
        with pytest.raises(InvalidTransition):
            gate.fire("unlock", actor=firing.actor)

    ORDERS.append(order)
    gate = Gate.objects.create()
    gate.fire("obey", actor=ACTOR)
    assert (gate.state, gate.lifecycle_sequence) == ("open", 2)
    assert gate.fire("close", actor=ACTOR).sequence == 3


def test_an_effect_may_catch_an_effect_of_another_record_that_raised() -> None:
    other = Gate.objects.create()
    before = memory_of(other)

    def order(gate: Gate, firing: Firing) -> None:
        with pytest.raises(RuntimeError):
            other.fire("break_late", actor=firing.actor)

    ORDERS.append(order)
    Gate.objects.create().fire("obey", actor=ACTOR)
    assert memory_of(other) == before
    assert Gate.objects.get(pk=other.pk).note == ""


def test_an_effect_that_moves_the_row_through_another_copy_leaves_this_one_stale() -> None:
    ORDERS.append(lambda gate, firing: Gate.objects.get(pk=gate.pk).fire("close", actor=firing.actor))
    gate = Gate.objects.create()
    gate.fire("obey", actor=ACTOR)
    assert Gate.objects.get().state == "shut"
    assert [e.event for e in gate.log] == [None, "obey", "close"]
    with pytest.raises(StaleState):
        gate.fire("close", actor=ACTOR)


def test_an_effect_that_swallows_a_database_error_does_not_hide_that_all_was_lost() -> None:
    Door.objects.create(code="a")

    def order(gate: Gate, firing: Firing) -> None:
        with contextlib.suppress(DatabaseError):
            Door(code="a").save(force_insert=True)

    ORDERS.append(order)
    gate = Gate.objects.create()
    before = memory_of(gate)
    with pytest.raises(StaleState):
        gate.fire("obey", actor=ACTOR)
    assert memory_of(gate) == before
    assert Gate.objects.get().state == "shut"
    assert gate.log.count() == 1


def test_an_effect_may_fire_on_many() -> None:
    Light.objects.bulk_create([Light(), Light()])
    ORDERS.append(lambda gate, firing: Light.objects.all().fire("switch_on", actor=firing.actor))
    entry = Gate.objects.create().fire("obey", actor=ACTOR)
    assert {light.log.last().cause for light in Light.objects.all()} == {entry.entry_hash}  # type: ignore[union-attr]


def test_records_that_an_effect_creates_and_deletes_are_logged() -> None:
    door = Door.objects.create(code="a")

    def order(gate: Gate, firing: Firing) -> None:
        door.delete()
        Door.objects.create(code="b")

    ORDERS.append(order)
    Gate.objects.create().fire("obey", actor=ACTOR)
    assert list(Door.objects.values_list("code", flat=True)) == ["b"]
    assert [e.kind for e in Door(code="a").log] == ["created", "deleted"]
