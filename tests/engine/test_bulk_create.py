"""``bulk_create`` writes the first entries in bulk."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from fsm_lifecycle import DirectStateChange, acting_as
from fsm_lifecycle.models import TransitionLog
from tests.acting import ACTOR, statements
from tests.testapp.gates import Numbered
from tests.testapp.models import Door, Invoice, Light, Parcel

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "make",
    [
        lambda n: Light(name=str(n)),
        lambda n: Door(code=f"d{n}"),
        lambda n: Parcel(),
        lambda n: Light(pk=n + 500),
        lambda n: Numbered(),
        lambda n: Numbered(pk=n + 500) if n % 2 else Numbered(name=str(n)),
    ],
)
def test_every_record_gets_its_first_entry(make: Any) -> None:
    records = [make(n) for n in range(5)]
    model = type(records[0])
    returned = model.objects.bulk_create(records)
    assert returned == records
    for record in records:
        entry = record.log.get()
        assert (entry.kind, entry.from_state, entry.to_state, entry.sequence) == (
            "created",
            None,
            model.lifecycle.initial,
            1,
        )
        assert (record.lifecycle_sequence, record.lifecycle_head) == (1, entry.entry_hash)
        fresh = model.objects.get(pk=record.pk)
        assert (fresh.lifecycle_sequence, fresh.lifecycle_head) == (1, entry.entry_hash)
        assert fresh.state_since == record.state_since == entry.recorded_at


def test_they_can_be_fired_at_once_and_edits_are_told() -> None:
    from fsm_lifecycle import UnsavedChanges

    light, other = Light.objects.bulk_create([Light(), Light()])
    assert light.fire("switch_on", actor=ACTOR).sequence == 2
    other.name = "x"
    with pytest.raises(UnsavedChanges):
        other.fire("switch_on", actor=ACTOR)


def test_a_generator_and_a_batch_size_are_fine() -> None:
    Light.objects.bulk_create((Light(name=str(n)) for n in range(7)), batch_size=3)
    assert TransitionLog.objects.filter(kind="created").count() == Light.objects.count() == 7
    assert Light.objects.bulk_create([]) == []


def test_row_by_row_where_the_database_returns_no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import connection

    feature = property(lambda self: False)
    monkeypatch.setattr(type(connection.features), "can_return_rows_from_bulk_insert", feature, raising=False)
    lights = Light.objects.bulk_create([Light(name="a"), Light(name="b")])
    assert [light.log.count() for light in lights] == [1, 1]
    assert lights[1].fire("switch_on", actor=ACTOR).sequence == 2
    doors = Door.objects.bulk_create([Door(code="a"), Door(code="b")])
    assert doors[1].fire("open_up", actor=ACTOR).sequence == 2


@pytest.mark.parametrize("name", ["ignore_conflicts", "update_conflicts"])
def test_what_hides_which_rows_were_made_is_refused_by_name(name: str) -> None:
    extra: dict[str, Any] = {name: True}
    if name == "update_conflicts":
        extra |= {"update_fields": ["name"], "unique_fields": ["id"]}
    with pytest.raises(DirectStateChange, match=name):
        Light.objects.bulk_create([Light()], **extra)
    assert not Light.objects.exists()


def test_a_wrong_state_among_them_refuses_them_all() -> None:
    with pytest.raises(DirectStateChange), transaction.atomic():
        Light.objects.bulk_create([Light(), Light(state="on")])
    assert not Light.objects.exists()
    assert not TransitionLog.objects.exists()


def test_a_row_that_cannot_be_inserted_leaves_nothing_of_the_others() -> None:
    Door.objects.create(code="a")
    with pytest.raises(IntegrityError), transaction.atomic():
        Door.objects.bulk_create([Door(code="b"), Door(code="a")])
    assert Door.objects.count() == TransitionLog.objects.count() == 1


def test_keys_that_were_used_before_continue_their_chains() -> None:
    for code in ("a", "b"):
        Door.objects.create(code=code)
    Door.objects.all().delete()
    doors = Door.objects.bulk_create([Door(code=code) for code in ("a", "b", "c")])
    assert [door.lifecycle_sequence for door in doors] == [3, 3, 1]
    assert all(door.replay().whole for door in doors)


def test_who_created_them_is_told_for_each(user: User) -> None:
    first, second = Invoice.objects.bulk_create([Invoice(created_by=user), Invoice()])
    assert first.log.get().actor_id == str(user.pk)
    assert second.log.get().actor_kind == "unknown"
    with acting_as(user):
        (third,) = Invoice.objects.bulk_create([Invoice()])
    assert third.log.get().actor_id == str(user.pk)


def test_who_created_them_is_looked_up_once(user: User) -> None:
    with statements() as sent:
        Invoice.objects.bulk_create([Invoice(created_by_id=user.pk) for _ in range(20)])
    assert len(sent) <= 6, sent
    assert {e.actor_id for e in TransitionLog.objects.all()} == {str(user.pk)}
    assert {e.actor_label for e in TransitionLog.objects.all()} == {"alice"}


def test_the_number_of_statements_does_not_grow_with_the_records() -> None:
    def count(size: int) -> int:
        with statements() as sent:
            Light.objects.bulk_create([Light() for _ in range(size)])
        return len(sent)

    assert count(40) == count(5) <= 5


def test_async_too() -> None:
    from asgiref.sync import async_to_sync

    async def create() -> None:
        await Light.objects.abulk_create([Light(), Light()])

    async_to_sync(create)()
    assert TransitionLog.objects.filter(kind="created").count() == 2
