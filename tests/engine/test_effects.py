"""Effects: inside the transaction, and after the outermost commit."""

import logging
from typing import Any

import pytest
from django.db import transaction

from fsm_lifecycle import UnsavedChanges
from fsm_lifecycle.definition.effects import as_effect
from fsm_lifecycle.models import TransitionLog
from tests.acting import ACTOR, memory_of, rolled_back
from tests.testapp.gates import ORDERS, Gate
from tests.testapp.models import Bell, Invoice

Commit = Any


@pytest.mark.django_db
def test_an_effect_is_given_the_callers_own_instance_in_its_new_state(seen: list[Any]) -> None:
    gate = Gate.objects.create()
    gate.fire("swing", actor=ACTOR, metadata={"m": 1})
    _, record, state, sequence, firing = seen[0]
    assert record is gate
    assert (state, sequence) == ("open", 2)
    assert firing.record is gate
    assert (firing.event.name, firing.source, firing.target) == ("swing", "shut", "open")
    assert (firing.actor, firing.metadata, firing.sequence, firing.cause) == (ACTOR, {"m": 1}, 2, None)
    with pytest.raises(AttributeError):
        firing.sequence = 9


@pytest.mark.django_db
def test_an_effect_sees_what_others_saved_meanwhile(seen: list[Any]) -> None:
    gate = Gate.objects.create()
    Gate.objects.filter(pk=gate.pk).update(note="newer")
    gate.fire("swing", actor=ACTOR)
    assert seen[0][1].note == "newer"
    assert gate.note == "newer"


@pytest.mark.django_db
def test_a_relation_that_was_loaded_before_is_not_stale_in_an_effect() -> None:
    first, second = Gate.objects.create(note="first"), Gate.objects.create(note="second")
    gate = Gate.objects.create(partner=first)
    assert gate.partner == first
    Gate.objects.filter(pk=gate.pk).update(partner=second)
    gate.fire("swing", actor=ACTOR)
    assert gate.partner == second


@pytest.mark.django_db
@pytest.mark.parametrize("event", ["break_open", "break_late"])
def test_an_effect_that_raises_rolls_back_state_log_and_everything(event: str) -> None:
    gate = Gate.objects.create(extra={"kept": 1})
    before = memory_of(gate)

    with pytest.raises(RuntimeError, match="secret of the effect"):
        gate.fire(event, actor=ACTOR)

    assert memory_of(gate) == before
    fresh = Gate.objects.get(pk=gate.pk)
    assert (fresh.state, fresh.note, fresh.extra, fresh.lifecycle_sequence) == ("shut", "", {"kept": 1}, 1)
    assert gate.log.count() == 1
    assert gate.fire("unlock", actor=ACTOR).sequence == 2


@pytest.mark.django_db
def test_a_caller_inside_a_transaction_may_catch_it_and_go_on() -> None:
    gate, other = Gate.objects.create(), Gate.objects.create()
    with transaction.atomic():
        other.fire("unlock", actor=ACTOR)
        with pytest.raises(RuntimeError):
            gate.fire("break_late", actor=ACTOR)
        gate.fire("unlock", actor=ACTOR)
    assert Gate.objects.filter(state="open", note="").count() == 2
    assert TransitionLog.objects.for_model(Gate).by_event("break_late").count() == 0


@pytest.mark.django_db
def test_an_effect_that_saves_its_edits_is_kept() -> None:
    gate = Gate.objects.create(mode="save")
    gate.fire("swing", actor=ACTOR)
    fresh = Gate.objects.get(pk=gate.pk)
    assert (fresh.note, fresh.state, fresh.lifecycle_head) == ("by effect", "open", gate.lifecycle_head)
    assert gate.fire("close", actor=ACTOR)


@pytest.mark.django_db
def test_edits_that_an_effect_leaves_unsaved_raise_and_roll_back() -> None:
    gate = Gate.objects.create(mode="edit")
    before = memory_of(gate)
    with pytest.raises(UnsavedChanges, match="note") as caught:
        gate.fire("swing", actor=ACTOR)
    assert caught.value.fields == ("note",)
    assert memory_of(gate) == before
    assert Gate.objects.get(pk=gate.pk).state == "shut"
    assert gate.log.count() == 1


@pytest.mark.django_db
def test_an_effect_may_fire_another_event_on_its_own_record() -> None:
    gate = Gate.objects.create(mode="refire")
    entry = gate.fire("swing", actor=ACTOR)
    assert entry.to_state == "open"
    assert gate.state == "shut"
    assert [e.event for e in gate.log] == [None, "swing", "close"]
    fresh = Gate.objects.get(pk=gate.pk)
    assert (fresh.state, fresh.lifecycle_head) == ("shut", gate.lifecycle_head)
    assert gate.fire("remove", actor=ACTOR).sequence == 4


@pytest.mark.django_db
def test_an_effect_may_delete_its_own_record() -> None:
    gate = Gate.objects.create(mode="delete")
    entry = gate.fire("swing", actor=ACTOR)
    assert not Gate.objects.exists()
    entries = TransitionLog.objects.filter(object_pk=entry.object_pk, model_label="testapp.gate")
    assert [e.kind for e in entries.order_by("sequence")] == ["created", "transition", "deleted"]


@pytest.mark.django_db(transaction=True)
def test_after_commit_each_effect_stands_alone(seen: list[Any], caplog: pytest.LogCaptureFixture) -> None:
    gate = Gate.objects.create()
    with caplog.at_level(logging.ERROR, "fsm_lifecycle"):
        entry = gate.fire("announce", actor=ACTOR)
    assert [item[0] for item in seen] == ["broke", "after"]
    assert "break_after" in caplog.text
    assert entry.to_state == Gate.objects.get(pk=gate.pk).state == "open"
    assert seen[1][1] is gate
    assert seen[1][2] == "open"
    assert seen[1][3].sequence == 2


@pytest.mark.django_db(transaction=True)
def test_after_commit_means_the_outermost_commit(seen: list[Any]) -> None:
    gate = Gate.objects.create()
    with transaction.atomic():
        with transaction.atomic():
            gate.fire("announce", actor=ACTOR)
        assert seen == []
    assert len(seen) == 2


@pytest.mark.django_db(transaction=True)
def test_after_a_rollback_nothing_runs(seen: list[Any]) -> None:
    gate = Gate.objects.create()
    with rolled_back():
        gate.fire("announce", actor=ACTOR)
    assert seen == []
    assert gate.log.count() == 1


@pytest.mark.django_db
def test_effects_after_commit_work_with_djangos_own_capture(
    seen: list[Any], django_capture_on_commit_callbacks: Commit
) -> None:
    gate = Gate.objects.create()
    with django_capture_on_commit_callbacks(execute=True) as callbacks:
        gate.fire("announce", actor=ACTOR)
    assert len(callbacks) == 2
    assert [item[0] for item in seen] == ["broke", "after"]


@pytest.mark.django_db(transaction=True)
def test_effects_run_in_declared_order(journal: list[Any]) -> None:
    invoice = Invoice.objects.create(amount=5, client_name="Ann")
    invoice.fire("send_invoice", actor=ACTOR)
    assert [item[0] for item in journal] == ["posted", "mailed"]
    assert journal[0][2:] == ("sent", "draft", "sent")


@pytest.mark.django_db(transaction=True)
def test_a_firing_after_commit_is_caused_by_the_first() -> None:
    gate = Gate.objects.create()
    entry = gate.fire("open_and_shut", actor=ACTOR)
    last = gate.log.get(event="close")
    assert last.cause == entry.entry_hash
    assert list(last.causes()) == [entry]


@pytest.mark.django_db(transaction=True)
def test_an_effect_after_commit_that_edits_the_record_does_not_undo_the_state() -> None:
    bell = Bell.objects.create(mischief="save")
    bell.fire("ring", actor=ACTOR)
    bell.fire("still", actor=ACTOR)
    fresh = Bell.objects.get(pk=bell.pk)
    assert (fresh.state, fresh.note) == ("silent", "saved")


@pytest.mark.django_db
def test_what_an_effect_will_do_is_told_beforehand() -> None:
    swing, announce = Gate.lifecycle.events["swing"], Gate.lifecycle.events["announce"]
    assert [e.label for e in swing.effects] == ["Writes down what it is told", "Change by mode"]
    assert [e.after_commit for e in announce.effects] == [True, True]
    assert Invoice.lifecycle.events["send_invoice"].effects[1].label == "Sends one e-mail to the client."


async def never_run(gate: Gate, firing: Any) -> None:
    raise AssertionError("nobody waits for it")


@pytest.mark.django_db
def test_an_async_effect_that_nobody_would_run_rolls_the_firing_back() -> None:
    gate = Gate.objects.create()
    ORDERS.append(lambda gate, firing: as_effect(never_run)(gate, firing))
    with pytest.raises(TypeError, match="The effect never_run is async"):
        gate.fire("obey", actor=ACTOR)
    gate.refresh_from_db()
    assert (gate.state, gate.log.count()) == ("shut", 1)
