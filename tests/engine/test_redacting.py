"""``redact()`` erases value and salt; the digest, the chain and every answer that rests on them stay."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.db import DatabaseError, connection, transaction

from fsm_lifecycle import ActorRequired, StaleState, System, acting_as, redact
from fsm_lifecycle.ledger.body import hash_of, read_body
from fsm_lifecycle.ledger.redaction import NotRedactable
from fsm_lifecycle.models import TransitionLog
from tests.acting import ACTOR, rolled_back
from tests.ledger.unprotected import unprotected
from tests.testapp.gates import Gate, Sketch
from tests.testapp.models import Contract, DisputedInvoice, Door, Light, Parcel, Report, Treaty

pytestmark = pytest.mark.django_db

WHY = "asked for it"


def stored(entry: TransitionLog) -> TransitionLog:
    return TransitionLog.objects.get(pk=entry.pk)


def lit(**more: Any) -> tuple[Light, TransitionLog]:
    """A light, and the entry with metadata that switched it on."""
    light = Light.objects.create()
    return light, light.fire("switch_on", actor=ACTOR, metadata={"who": "Anna"}, **more)


def test_value_and_salt_are_gone_and_the_digest_stays() -> None:
    _light, entry = lit()
    salt = entry.fields["metadata"].salt or "?"
    redact(entry, ["metadata"], reason=WHY, by=ACTOR)
    body = stored(entry).body
    assert "Anna" not in body
    assert salt not in body
    assert hash_of(body) == entry.body_hash == stored(entry).body_hash
    assert list(json.loads(body)["metadata"]) == ["redacted"]
    assert stored(entry).actor_label == "tests"


def test_the_entry_in_memory_loses_it_too() -> None:
    _, entry = lit()
    assert entry.metadata == {"who": "Anna"}
    redact(entry, "metadata", reason=WHY, by=ACTOR)
    assert entry.metadata == {}
    assert entry.body == stored(entry).body


def test_the_chain_says_what_was_redacted_and_goes_on(user: User) -> None:
    light, entry = lit()
    made = redact(entry, {"metadata", "actor"}, reason=f" {WHY} ", by=user)
    assert made is not None
    assert made == light.log.last()
    assert (made.kind, made.event, made.from_state, made.to_state) == ("redaction", None, "on", "on")
    assert made.arguments == {"entry": entry.entry_hash, "fields": ["actor", "metadata"]}
    assert (made.reason, made.actor_kind, made.actor_id) == (WHY, "user", str(user.pk))
    assert (made.sequence, made.prev_hash) == (3, entry.entry_hash)
    since = light.state_since
    light.refresh_from_db()
    assert (light.state, light.state_since) == ("on", since)
    assert (light.lifecycle_sequence, light.lifecycle_head) == (3, made.entry_hash)
    assert light.replay().whole
    assert light.fire("switch_off", actor=ACTOR).prev_hash == made.entry_hash


def test_a_copy_in_memory_is_stale_then() -> None:
    light, entry = lit()
    redact(entry, ["metadata"], reason=WHY, by=ACTOR)
    with pytest.raises(StaleState):
        light.fire("switch_off", actor=ACTOR)


def test_redacting_again_writes_nothing() -> None:
    light, entry = lit()
    stale = stored(entry)
    redact(entry, ["metadata"], reason=WHY, by=ACTOR)
    for copy in (entry, stale, stored(entry)):
        assert redact(copy, ["metadata"], reason=WHY, by=ACTOR) is None
        assert copy.metadata == {}
    made = redact(stored(entry), ["actor", "metadata"], reason=WHY, by=ACTOR)
    assert made is not None
    assert made.arguments["fields"] == ["actor"]
    assert light.log.count() == 4


@pytest.mark.parametrize(
    ("fields", "why"), [(["snapshot"], "no field “snapshot”"), ([], "No field"), (["metadata", "x"], "“x”")]
)
def test_what_the_entry_does_not_have_is_refused_and_nothing_is_done(fields: list[str], why: str) -> None:
    light, entry = lit()
    with pytest.raises(NotRedactable, match=why):
        redact(entry, fields, reason=WHY, by=ACTOR)
    assert light.log.count() == 2
    assert stored(entry).metadata == {"who": "Anna"}


def test_the_idempotency_key_stays() -> None:
    _, entry = lit(idempotency_key="k")
    with pytest.raises(NotRedactable, match="idempotency_key"):
        redact(entry, ["idempotency_key"], reason=WHY, by=ACTOR)


def test_a_redaction_keeps_its_arguments_and_may_lose_its_reason() -> None:
    light, entry = lit()
    made = redact(entry, ["metadata"], reason="Anna asked", by=ACTOR)
    assert made is not None
    with pytest.raises(NotRedactable, match="says what was redacted"):
        redact(made, ["reason", "arguments"], reason=WHY, by=ACTOR)
    redact(made, ["reason", "actor"], reason=WHY, by=ACTOR)
    assert stored(made).arguments["fields"] == ["metadata"]
    assert "Anna" not in stored(made).body
    light.refresh_from_db()
    assert light.replay().whole


@pytest.mark.parametrize("nothing", [None, "entry", TransitionLog(), TransitionLog(pk=1)])
def test_what_is_no_stored_entry_is_refused(nothing: Any) -> None:
    with pytest.raises(NotRedactable, match="no stored log entry"):
        redact(nothing, ["metadata"], reason=WHY, by=ACTOR)


def test_an_entry_of_another_log_is_refused() -> None:
    _, entry = lit()
    for change in ({"entry_hash": "f" * 64}, {"pk": entry.pk + 1000}):
        other = stored(entry)
        for name, value in change.items():
            setattr(other, name, value)
        with pytest.raises(NotRedactable, match="Load the entry again"):
            redact(other, ["metadata"], reason=WHY, by=ACTOR)
    assert stored(entry).metadata == {"who": "Anna"}


@pytest.mark.parametrize("reason", ["", "  ", None, 3, "a\ud800b", "a\0b"])
def test_a_reason_is_needed(reason: Any) -> None:
    _, entry = lit()
    with pytest.raises(NotRedactable, match="reason"):
        redact(entry, ["metadata"], reason=reason, by=ACTOR)


def test_somebody_redacts(user: User) -> None:
    _, entry = lit()
    for nobody in (None, AnonymousUser()):
        with pytest.raises(ActorRequired):
            redact(entry, ["metadata"], reason=WHY, by=nobody)
    with acting_as(user):
        made = redact(entry, ["metadata"], reason=WHY)
    assert made is not None
    assert made.actor_id == str(user.pk)


def test_arguments_are_redacted_and_the_idempotency_key_goes_on_answering() -> None:
    gate = Gate.objects.create()
    asked: dict[str, Any] = {"actor": ACTOR, "idempotency_key": "once"}
    entry = gate.fire("carry", arguments={"load": 3, "note": "Anna"}, **asked)
    salt = entry.fields["arguments"].salt or "?"
    redact(entry, ["arguments"], reason=WHY, by=ACTOR)
    row = list(TransitionLog.objects.filter(pk=entry.pk).values_list()[0])
    assert not any(salt in str(value) for value in row)
    gate.refresh_from_db()
    for arguments in ({"load": 3, "note": "Anna"}, {"load": 4}):
        assert gate.fire("carry", arguments=arguments, **asked) == entry
    assert gate.log.count() == 3


def test_a_snapshot_that_is_gone_is_not_listed_and_gives_no_values() -> None:
    sketch = Sketch.objects.create(value=1)
    first = sketch.fire("there", actor=ACTOR, snapshot=True)
    second = sketch.fire("back", actor=ACTOR, snapshot=True)
    redact(second, ["snapshot"], reason=WHY, by=ACTOR)
    assert list(sketch.snapshots) == [first]
    assert sketch.replay().values == {"value": 1}
    redact(first, ["snapshot_reason"], reason=WHY, by=ACTOR)
    assert sketch.last_snapshot == first


# --- every kind of record ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [Contract, Door, Parcel, Report, Treaty, DisputedInvoice])
def test_records_of_every_kind_of_key_and_family(model: Any) -> None:
    values = {"code": "a b"} if model is Door else {"title": "t"} if model in (Report, Treaty) else {}
    with acting_as(ACTOR):
        record = model.objects.create(**values)
    made = redact(record.log.get(), ["actor"], reason=WHY, by=ACTOR)
    assert made is not None
    record.refresh_from_db()
    assert (record.lifecycle_sequence, record.lifecycle_head) == (2, made.entry_hash)
    assert made.definition == record.log.first().definition
    assert record.replay().whole


def test_the_log_of_a_deleted_record_goes_on() -> None:
    light, entry = lit()
    copy = Light.objects.get()
    light.delete()
    made = redact(entry, ["metadata"], reason=WHY, by=ACTOR)
    assert made is not None
    assert (made.sequence, made.from_state, made.to_state) == (4, None, None)
    assert made.definition == entry.definition
    assert copy.replay().whole
    assert stored(entry).metadata == {}


def test_a_record_made_anew_under_the_key_moves_along() -> None:
    light, entry = lit()
    pk = light.pk
    light.delete()
    again = Light.objects.create(pk=pk)
    made = redact(entry, ["metadata"], reason=WHY, by=ACTOR)
    assert made is not None
    assert (made.sequence, made.from_state, made.to_state) == (5, "off", "off")
    again.refresh_from_db()
    assert again.lifecycle_head == made.entry_hash


def test_a_log_whose_model_is_no_more_goes_on() -> None:
    _light, entry = lit()
    with unprotected(connection), connection.cursor() as cursor:
        cursor.execute("UPDATE fsm_lifecycle_transitionlog SET model_label = 'gone.model'")
    made = redact(stored(entry), ["metadata"], reason=WHY, by=ACTOR)
    assert made is not None
    assert (made.model_label, made.from_state, made.to_state) == ("gone.model", "on", "on")


def test_a_row_that_is_not_what_its_log_says_stands_in_nobodys_way() -> None:
    light, entry = lit()
    with unprotected(connection), connection.cursor() as cursor:
        cursor.execute("UPDATE testapp_light SET lifecycle_sequence = 1, state = 'broken'")
    made = redact(entry, ["metadata"], reason=WHY, by=ACTOR)
    assert made is not None
    assert (made.sequence, made.from_state, made.to_state) == (3, "on", "on")
    assert light.replay().whole
    light.refresh_from_db()
    assert (light.state, light.lifecycle_sequence, light.lifecycle_head) == ("broken", 1, entry.entry_hash)


def test_a_state_that_was_edited_is_neither_mended_nor_logged() -> None:
    light, entry = lit()
    with unprotected(connection), connection.cursor() as cursor:
        cursor.execute("UPDATE testapp_light SET state = 'broken'")
    made = redact(entry, ["metadata"], reason=WHY, by=ACTOR)
    assert made is not None
    assert (made.from_state, made.to_state) == ("on", "on")
    light.refresh_from_db()
    assert (light.state, light.lifecycle_head) == ("broken", made.entry_hash)


# --- transactions and protection --------------------------------------------------------------------------------


def test_it_comes_and_goes_with_the_callers_transaction() -> None:
    light, entry = lit()
    copy = stored(entry)
    with rolled_back():
        redact(copy, ["metadata"], reason=WHY, by=ACTOR)
    assert stored(entry).metadata == {"who": "Anna"}
    assert light.log.count() == 2


def test_a_refusal_inside_a_transaction_leaves_it_usable() -> None:
    light, entry = lit()
    other = stored(entry)
    other.entry_hash = "f" * 64
    with transaction.atomic():
        with pytest.raises(NotRedactable):
            redact(other, ["metadata"], reason=WHY, by=ACTOR)
        redact(entry, ["metadata"], reason=WHY, by=ACTOR)
    assert stored(entry).metadata == {}
    assert light.log.count() == 3


def test_the_gate_is_closed_afterwards() -> None:
    _, entry = lit()
    redact(entry, ["metadata"], reason=WHY, by=ACTOR)
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE fsm_lifecycle_transitionlog SET body = '{}' WHERE id = %s", [entry.pk])
    assert stored(entry).actor_label == "tests"


@pytest.mark.django_db(databases=["default", "other"])
def test_an_entry_is_redacted_in_its_own_database() -> None:
    light = Light.objects.using("other").create()
    entry = light.fire("switch_on", actor=ACTOR, metadata={"who": "Anna"})
    made = redact(entry, ["metadata"], reason=WHY, by=System("there"))
    assert made is not None
    assert made._state.db == "other"
    assert read_body(TransitionLog.objects.using("other").get(pk=entry.pk).body)["metadata"].redacted
    assert not TransitionLog.objects.exists()
