"""What one firing does when nothing stands in its way."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.utils import timezone as now_in

from fsm_lifecycle import Event, InvalidArguments, System, UnknownEvent, acting_as
from fsm_lifecycle.exceptions import ActorRequired
from fsm_lifecycle.ledger.chain import hashed_values
from fsm_lifecycle.ledger.hashing import entry_hash, genesis
from fsm_lifecycle.models import TransitionLog
from tests.acting import ACTOR
from tests.testapp.models import Door, Invoice, Light, Parcel

pytestmark = pytest.mark.django_db


def test_an_event_may_be_given_by_name_or_as_the_object() -> None:
    light = Light.objects.create()

    assert light.fire("switch_on", actor=ACTOR).event == "switch_on"
    assert light.fire(Light.Lifecycle.switch_off, actor=ACTOR).event == "switch_off"
    assert light.fire(Light.lifecycle.events["switch_on"], actor=ACTOR).event == "switch_on"


def test_the_state_the_entry_and_the_record_in_memory_say_the_same() -> None:
    light = Light.objects.create()

    entry = light.fire("switch_on", actor=ACTOR)

    fresh = Light.objects.get(pk=light.pk)
    assert isinstance(entry, TransitionLog)
    assert (entry.kind, entry.from_state, entry.to_state, entry.sequence) == ("transition", "off", "on", 2)
    for record in (light, fresh):
        assert record.state == "on"
        assert record.lifecycle_sequence == entry.sequence
        assert record.lifecycle_head == entry.entry_hash
        assert record.state_since == entry.recorded_at


def test_the_entry_that_is_returned_is_the_row_that_was_stored() -> None:
    light = Light.objects.create()

    entry = light.fire("switch_on", actor=ACTOR, metadata={"why": "dark"}, idempotency_key="k")

    stored = TransitionLog.objects.get(pk=entry.pk)
    for field in TransitionLog._meta.concrete_fields:
        assert getattr(stored, field.attname) == getattr(entry, field.attname), field.attname
    assert stored.metadata == entry.metadata == {"why": "dark"}
    assert stored.entry_hash == entry_hash(hashed_values(stored.__dict__))


def test_entries_are_chained() -> None:
    light = Light.objects.create()
    for event in ("switch_on", "blink", "switch_off"):
        light.fire(event, actor=ACTOR)

    first, *rest = light.log
    assert first.prev_hash == genesis("testapp.light", str(light.pk))
    assert [e.sequence for e in light.log] == [1, 2, 3, 4]
    for previous, entry in zip([first, *rest], rest, strict=False):
        assert entry.prev_hash == previous.entry_hash


def test_state_since_moves_when_the_state_does() -> None:
    light = Light.objects.create()
    entry = light.fire("switch_on", actor=ACTOR)
    light.refresh_from_db()
    assert light.state_since == entry.recorded_at


def test_state_since_stays_when_an_event_returns_to_its_own_state() -> None:
    light = Light.objects.create()
    since = light.fire("switch_on", actor=ACTOR).recorded_at
    Light.objects.filter(pk=light.pk).update(state_since=since - timedelta(days=3))
    light.refresh_from_db()

    light.fire("blink", actor=ACTOR)

    assert light.state_since == since - timedelta(days=3)
    light.refresh_from_db()
    assert light.state_since == since - timedelta(days=3)


def test_state_since_stays_when_a_guarded_event_returns_to_its_own_state() -> None:
    from tests.testapp.gates import Gate

    gate = Gate.objects.create()
    since = gate.fire("unlock", actor=ACTOR).recorded_at - timedelta(days=3)
    Gate.objects.filter(pk=gate.pk).update(state_since=since)
    gate.refresh_from_db()

    gate.fire("pass_by", actor=ACTOR)

    assert gate.state_since == since
    gate.refresh_from_db()
    assert gate.state_since == since


def test_state_since_stays_when_many_return_to_their_own_state() -> None:
    light = Light.objects.create()
    since = light.fire("switch_on", actor=ACTOR).recorded_at - timedelta(days=3)
    Light.objects.filter(pk=light.pk).update(state_since=since)

    Light.objects.all().fire("blink", actor=ACTOR)

    light.refresh_from_db()
    assert light.state_since == since


def test_times_are_whole_milliseconds_of_utc() -> None:
    light = Light.objects.create()
    happened = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=timezone(timedelta(hours=5)))

    entry = light.fire("switch_on", actor=ACTOR, occurred_at=happened)

    assert entry.recorded_at.microsecond % 1000 == 0
    assert entry.occurred_at == datetime(2026, 3, 1, 7, 0, 0, 123000, tzinfo=UTC)
    assert entry.happened_at == entry.occurred_at
    assert light.log.get(sequence=2).occurred_at == entry.occurred_at


def test_occurred_at_is_empty_unless_it_is_given() -> None:
    light = Light.objects.create()
    entry = light.fire("switch_on", actor=ACTOR)
    assert entry.occurred_at is None
    assert entry.happened_at == entry.recorded_at


@pytest.mark.parametrize(
    "moment",
    [datetime(2026, 1, 1), datetime(1600, 1, 1, tzinfo=UTC), datetime(2300, 1, 1, tzinfo=UTC), "2026-01-01"],  # noqa: DTZ001
)
def test_a_time_that_cannot_be_recorded_is_refused_before_anything_happens(moment: datetime) -> None:
    light = Light.objects.create()
    with pytest.raises(InvalidArguments) as caught:
        light.fire("switch_on", actor=ACTOR, occurred_at=moment)
    assert "occurred_at" in caught.value.errors
    assert light.state == "off"
    assert light.log.count() == 1


def test_a_method_of_the_events_name_fires_with_its_arguments() -> None:
    invoice = Invoice.objects.create(amount=Decimal(5), client_name="Ann")

    invoice.send_invoice(actor=ACTOR)
    entry = invoice.pay(actor=ACTOR, paid_on="2026-11-20", note="cash")

    assert entry.event == "pay"
    assert entry.arguments["note"] == "cash"
    assert invoice.is_paid


def test_who_acts_may_come_from_the_context(user: User) -> None:
    light = Light.objects.create()
    with acting_as(user):
        entry = light.fire("switch_on")
        with acting_as(System("night watch")):
            other = light.fire("switch_off")
        third = light.fire("switch_on")
    assert (entry.actor_kind, entry.actor_id, entry.actor_label) == ("user", str(user.pk), "alice")
    assert (other.actor_kind, other.actor_id) == ("system", "night watch")
    assert third.actor_kind == "user"


def test_the_actor_that_is_given_wins_over_the_context(user: User) -> None:
    light = Light.objects.create()
    with acting_as(user):
        assert light.fire("switch_on", actor=ACTOR).actor_kind == "system"


def test_nobody_acting_is_an_error_that_says_what_to_do() -> None:
    light = Light.objects.create()
    with pytest.raises(ActorRequired, match="actor=") as caught:
        light.fire("switch_on")
    assert caught.value.code == "actor_required"
    with pytest.raises(ActorRequired):
        light.fire("switch_on", actor="alice")


def test_a_superuser_is_named_as_one_in_the_entry() -> None:
    root = User.objects.create_superuser("root")
    light = Light.objects.create()
    entry = light.fire("switch_on", actor=root)
    assert entry.fields["actor"].value == {"label": "root", "superuser": True}


def test_an_event_of_an_unrelated_lifecycle_is_unknown() -> None:
    light, door = Light.objects.create(), Door.objects.create(code="a")
    with pytest.raises(UnknownEvent, match="open_up"):
        light.fire(Door.Lifecycle.open_up, actor=ACTOR)
    with pytest.raises(UnknownEvent, match="switch_on"):
        light.fire("dance", actor=ACTOR)
    assert door.log.count() == light.log.count() == 1


def test_an_event_of_an_unrelated_lifecycle_is_unknown_though_it_has_the_same_name() -> None:
    class Other:
        switch_on = Event("off", to="on")

    with pytest.raises(UnknownEvent) as caught:
        Light.objects.create().fire(Other.switch_on, actor=ACTOR)
    assert caught.value.code == "unknown_event"


def test_text_keys_and_uuid_keys_are_named_as_the_log_wants_them() -> None:
    door, parcel = Door.objects.create(code="Ä 1"), Parcel.objects.create()
    assert door.fire("open_up", actor=ACTOR).object_pk == "Ä 1"
    assert parcel.fire("ship", actor=ACTOR).object_pk == str(parcel.pk)
    assert door.position == "open"


def test_metadata_must_be_a_mapping_of_values_that_can_be_recorded() -> None:
    light = Light.objects.create()
    with pytest.raises(InvalidArguments) as caught:
        light.fire("switch_on", actor=ACTOR, metadata={"a": {"b": [1, float("nan")]}})
    assert list(caught.value.errors) == ["metadata.a.b[1]"]
    with pytest.raises(InvalidArguments) as caught:
        light.fire("switch_on", actor=ACTOR, metadata=["x"])  # type: ignore[arg-type]
    assert list(caught.value.errors) == ["metadata"]
    assert light.log.count() == 1


def test_recorded_values_come_back_as_they_were() -> None:
    light = Light.objects.create()
    moment = now_in.now()
    values = {"d": Decimal("1.50"), "t": moment, "n": 2**60, "$x": None, "list": [1, "ä", True], "f": 0.1}
    entry = light.fire("switch_on", actor=ACTOR, metadata=values)
    assert light.log.get(pk=entry.pk).metadata == values
