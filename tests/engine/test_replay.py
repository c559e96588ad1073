"""Replay: folding a record's entries says what the record says, or where the log is broken."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from fsm_lifecycle import adopting
from tests.acting import ACTOR
from tests.ledger.unprotected import unprotected
from tests.testapp.gates import Gate
from tests.testapp.models import DisputedInvoice, Door, Invoice, Light, Parcel

pytestmark = pytest.mark.django_db


def test_replay_agrees_with_the_record() -> None:
    light = Light.objects.create()
    for event in ("switch_on", "blink", "switch_off"):
        light.fire(event, actor=ACTOR)
    replay = light.replay()
    assert replay.whole
    assert replay.faults == ()
    assert (replay.state, replay.sequence, replay.head, replay.entries) == (
        "off",
        light.lifecycle_sequence,
        light.lifecycle_head,
        4,
    )
    assert replay.recorded_at == light.state_since


def test_replay_can_stop_at_a_sequence_or_a_moment() -> None:
    light = Light.objects.create()
    on = light.fire("switch_on", actor=ACTOR)
    light.fire("smash", actor=ACTOR)
    assert (light.replay(until=2).state, light.replay(2).head) == ("on", on.entry_hash)
    assert light.replay(until=0).state is None
    assert light.replay(until=light.log.last().recorded_at).state == "broken"  # type: ignore[union-attr]


def test_replay_brings_the_values_of_the_last_snapshot() -> None:
    parcel = Parcel.objects.create(weight=2.5)
    parcel.fire("ship", actor=ACTOR)
    parcel.weight = 3.5
    parcel.save()
    parcel.fire("deliver", actor=ACTOR)
    assert parcel.replay(until=2).values["weight"] == 2.5
    assert parcel.replay().values["weight"] == 3.5


def test_replay_runs_no_guard_and_no_effect(seen: list[Any]) -> None:
    gate = Gate.objects.create()
    gate.fire("unlock", actor=ACTOR)
    seen.clear()
    gate.replay()
    assert seen == []


def test_replay_of_what_was_never_saved_is_empty() -> None:
    replay = Light().replay()
    assert (replay.state, replay.sequence, replay.entries, replay.whole) == (None, 0, 0, True)


def test_replay_understands_adoption_deletion_and_a_key_used_again() -> None:
    with adopting("import"):
        door = Door.objects.create(code="a", position="open")
    door.fire("close", actor=ACTOR)
    copy = Door.objects.get()
    door.delete()
    assert (copy.replay().state, copy.replay().whole) == (None, True)
    again = Door.objects.create(code="a")
    assert (again.replay().state, again.replay().sequence, again.replay().whole) == ("closed", 4, True)


def test_replay_judges_each_step_by_the_table_it_was_made_under() -> None:
    invoice = DisputedInvoice.objects.create(amount=Decimal(1), client_name="Ann")
    invoice.fire("send_invoice", actor=ACTOR)
    invoice.fire("dispute", actor=ACTOR)
    assert Invoice.objects.get(pk=invoice.pk).replay().whole
    assert Invoice.objects.get(pk=invoice.pk).replay().state == "disputed"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("SET to_state = 'broken' WHERE sequence = 2", "ENTRY_HASH"),
        ("SET event = 'smash' WHERE sequence = 2", "ENTRY_HASH"),
        ("SET sequence = 9 WHERE sequence = 3", "SEQUENCE_GAP"),
        (
            "SET prev_hash = REPLACE(prev_hash, SUBSTR(prev_hash, 1, 4), 'beef') WHERE sequence = 3",
            "PREV_MISMATCH",
        ),
        ("SET from_state = 'broken' WHERE sequence = 3", "ILLEGAL_TRANSITION"),
    ],
)
def test_a_log_that_was_edited_is_named(change: str, code: str) -> None:
    light = Light.objects.create()
    light.fire("switch_on", actor=ACTOR)
    light.fire("switch_off", actor=ACTOR)
    with unprotected(connection), connection.cursor() as cursor:
        cursor.execute(f"UPDATE fsm_lifecycle_transitionlog {change}")
    replay = light.replay()
    assert not replay.whole
    assert code in {fault.code for fault in replay.faults}


def test_an_entry_that_is_missing_is_named() -> None:
    light = Light.objects.create()
    light.fire("switch_on", actor=ACTOR)
    light.fire("switch_off", actor=ACTOR)
    with unprotected(connection), connection.cursor() as cursor:
        cursor.execute("DELETE FROM fsm_lifecycle_transitionlog WHERE sequence = 2")
    assert {"SEQUENCE_GAP", "PREV_MISMATCH"} <= {fault.code for fault in light.replay().faults}
