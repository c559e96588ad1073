"""Creating a record writes the first entry of its log."""

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.db import IntegrityError, transaction

from fsm_lifecycle import InvalidArguments, System, acting_as
from fsm_lifecycle.ledger.hashing import genesis
from fsm_lifecycle.models import TransitionLog
from tests.acting import ACTOR, rolled_back
from tests.testapp.gates import Gate
from tests.testapp.models import Door, Invoice, Light, Parcel, Report, Treaty
from tests.testapp.offices import Plate

pytestmark = pytest.mark.django_db


def test_the_first_entry_leads_from_nothing_to_the_initial_state() -> None:
    light = Light.objects.create()
    entry = light.log.get()
    assert (entry.kind, entry.event, entry.from_state, entry.to_state) == ("created", None, None, "off")
    assert entry.sequence == light.lifecycle_sequence == 1
    assert light.lifecycle_head == entry.entry_hash
    assert light.state_since == entry.recorded_at
    assert entry.prev_hash == genesis("testapp.light", str(light.pk))
    fresh = Light.objects.get()
    assert (fresh.lifecycle_sequence, fresh.lifecycle_head) == (1, entry.entry_hash)
    assert fresh.state_since == entry.recorded_at


@pytest.mark.parametrize(
    "create",
    [
        lambda: Light.objects.create(),
        lambda: Light().save(),
        lambda: Light().save(force_insert=True),
        lambda: Light(pk=70).save(),
        lambda: Light.objects.get_or_create(name="x"),
        lambda: Light.objects.update_or_create(name="x", defaults={"name": "y"}),
        lambda: Light.objects.bulk_create([Light()]),
        lambda: Light._base_manager.create(),
        lambda: Door.objects.create(code="front door"),
        lambda: Parcel().save(),
        lambda: Report.objects.create(title="r"),
        lambda: Treaty(title="t").save(),
        lambda: Invoice().save(),
    ],
)
def test_however_it_is_created(create: Any) -> None:
    create()
    entry = TransitionLog.objects.get()
    assert (entry.kind, entry.sequence) == ("created", 1)


def test_creating_needs_no_actor() -> None:
    entry = Light.objects.create().log.get()
    assert (entry.actor_kind, entry.actor_id, entry.actor_label) == ("unknown", "", "")


def test_the_current_actor_creates(user: User) -> None:
    with acting_as(user):
        entry = Light.objects.create().log.get()
    assert (entry.actor_kind, entry.actor_id, entry.actor_label) == ("user", str(user.pk), "alice")
    with acting_as(System("import")):
        assert Light.objects.create().log.get().actor_id == "import"
    with acting_as(AnonymousUser()):
        assert Light.objects.create().log.get().actor_kind == "unknown"


def test_created_by_wins_over_the_current_actor(user: User) -> None:
    with acting_as(System("import")):
        entry = Invoice.objects.create(created_by=user).log.get()
    assert (entry.actor_kind, entry.actor_id) == ("user", str(user.pk))
    with acting_as(user):
        assert Invoice.objects.create().log.get().actor_id == str(user.pk)
    assert Invoice.objects.create().log.get().actor_kind == "unknown"


def test_saving_again_writes_no_entry() -> None:
    light = Light.objects.create()
    light.save()
    light.save(force_update=True)
    Light(pk=light.pk, name="by key").save()
    assert light.log.count() == 1
    assert Light.objects.get().name == "by key"


def test_the_row_and_its_entry_exist_together_or_not_at_all() -> None:
    with rolled_back():
        Light.objects.create()
    assert not Light.objects.exists()
    assert not TransitionLog.objects.exists()


def test_a_row_that_cannot_be_inserted_leaves_no_entry_and_the_record_as_it_was() -> None:
    Door.objects.create(code="a")
    door = Door(code="a")
    with pytest.raises(IntegrityError), transaction.atomic():
        door.save(force_insert=True)
    assert TransitionLog.objects.count() == 1
    assert (door.lifecycle_sequence, door.lifecycle_head, door._state.adding) == (0, "", True)


def test_a_created_record_can_be_fired_at_once() -> None:
    assert Light.objects.create().fire("switch_on", actor=ACTOR).sequence == 2
    (light,) = Light.objects.bulk_create([Light()])
    assert light.fire("switch_on", actor=ACTOR).sequence == 2


def test_a_copy_in_its_initial_state_begins_anew() -> None:
    gate = Gate.objects.create(note="x")
    first = gate.pk
    gate.pk = None
    gate._state.adding = True
    gate.save()
    assert gate.pk != first
    assert (gate.lifecycle_sequence, gate.log.count()) == (1, 1)
    assert Gate.objects.get(pk=first).log.count() == 1
    assert gate.fire("unlock", actor=ACTOR)


def test_a_key_that_was_used_before_continues_its_chain() -> None:
    door = Door.objects.create(code="a")
    door.fire("open_up", actor=ACTOR)
    door.delete()
    again = Door.objects.create(code="a")
    entries = list(again.log)
    assert [(e.sequence, e.kind) for e in entries] == [
        (1, "created"),
        (2, "transition"),
        (3, "deleted"),
        (4, "created"),
    ]
    assert entries[3].prev_hash == entries[2].entry_hash
    assert again.lifecycle_sequence == 4
    assert Door.objects.get().fire("open_up", actor=ACTOR).sequence == 5


def test_children_share_one_chain_and_one_label() -> None:
    report = Report.objects.create(title="r")
    entry = report.log.get()
    assert entry.model_label == "testapp.document"
    assert entry.object_pk == str(report.pk)
    assert report.lifecycle_sequence == 1
    assert report.fire("finish", actor=ACTOR).sequence == 2


@pytest.mark.parametrize(("key", "why"), [("a\0b", "U+0000"), ("a\ud800b", "lone surrogate")])
@pytest.mark.parametrize(
    "create",
    [
        lambda key: Plate(pk=key).save(),
        lambda key: Plate.objects.create(pk=key),
        lambda key: Plate.objects.bulk_create([Plate(pk="fine"), Plate(pk=key)]),
    ],
)
def test_a_key_that_the_log_cannot_name_is_refused_before_anything_is_written(
    create: Any, key: str, why: str
) -> None:
    with pytest.raises(InvalidArguments, match=r"was not created\. The log cannot name") as caught:
        create(key)
    (text,) = caught.value.errors["code"]
    assert why in text
    assert not Plate.objects.exists()  # an open transaction goes on
    assert not TransitionLog.objects.filter(model_label="testapp.plate").exists()
