"""Firing on many records: each is decided for itself, together they cost little."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import connection

from fsm_lifecycle import ActorRequired, BulkResult, UnknownEvent
from fsm_lifecycle.models import TransitionLog
from tests.acting import ACTOR, statements
from tests.testapp.gates import Gate
from tests.testapp.models import Door, Invoice, Light, Parcel, Treaty

pytestmark = pytest.mark.django_db


def lights(count: int, on: int = 0) -> list[Light]:
    made = Light.objects.bulk_create([Light(name=str(n)) for n in range(count)])
    for light in made[:on]:
        light.fire("switch_on", actor=ACTOR)
    return made


def test_the_result_says_what_became_of_each() -> None:
    first, second, third = lights(3, on=1)
    result = Light.objects.all().fire("switch_on", actor=ACTOR)
    assert isinstance(result, BulkResult)
    assert (result.total, result.succeeded, result.failed) == (3, 2, 1)
    refused, *moved = result.results
    assert (refused.pk, refused.ok, refused.from_state, refused.to_state) == (first.pk, False, "on", "on")
    assert [d.code for d in refused.denials] == ["wrong_state"]
    assert [(r.pk, r.ok, r.from_state, r.to_state, r.denials) for r in moved] == [
        (second.pk, True, "off", "on", ()),
        (third.pk, True, "off", "on", ()),
    ]
    assert Light.objects.in_state("on").count() == 3


def test_every_entry_is_as_fire_would_have_written_it() -> None:
    lights(3)
    Light.objects.all().fire("switch_on", actor=ACTOR, metadata={"why": "dark"})
    for light in Light.objects.all():
        entry = light.log.last()
        assert entry is not None
        assert (entry.event, entry.from_state, entry.to_state, entry.sequence) == (
            "switch_on",
            "off",
            "on",
            2,
        )
        assert (light.lifecycle_sequence, light.lifecycle_head) == (2, entry.entry_hash)
        assert light.state_since == entry.recorded_at
        assert light.replay().whole
        assert entry.metadata["why"] == "dark"
        assert light.fire("switch_off", actor=ACTOR).sequence == 3


def test_all_entries_of_one_call_carry_one_batch_id() -> None:
    lights(3)
    first = Light.objects.all().fire("switch_on", actor=ACTOR)
    second = Light.objects.all().fire("switch_off", actor=ACTOR)
    batches = [e.metadata["batch"] for e in TransitionLog.objects.by_event("switch_on")]
    assert batches == [first.batch] * 3
    assert first.batch != second.batch


def test_all_or_nothing_leaves_everything_as_it_was() -> None:
    lights(4, on=1)
    result = Light.objects.all().fire("switch_on", actor=ACTOR, all_or_nothing=True, batch_size=2)
    assert (result.total, result.succeeded, result.failed) == (4, 0, 1)
    assert [[d.code for d in r.denials] for r in result.results] == [
        ["wrong_state"],
        ["not_attempted"],
        ["not_attempted"],
        ["not_attempted"],
    ]
    assert [(r.ok, r.from_state, r.to_state) for r in result.results[1:]] == [(False, "off", "off")] * 3
    assert Light.objects.in_state("on").count() == 1
    assert TransitionLog.objects.by_event("switch_on").count() == 1


def test_all_or_nothing_does_all_where_nothing_is_refused() -> None:
    lights(3)
    result = Light.objects.all().fire("switch_on", actor=ACTOR, all_or_nothing=True)
    assert (result.succeeded, result.failed) == (3, 0)
    assert Light.objects.in_state("on").count() == 3


def test_progress_is_told_after_each_batch() -> None:
    lights(5)
    told: list[tuple[int, int]] = []
    Light.objects.all().fire(
        "switch_on", actor=ACTOR, batch_size=2, progress=lambda d, t: told.append((d, t))
    )
    assert told == [(2, 5), (4, 5), (5, 5)]


def test_guards_are_asked_for_each_record() -> None:
    for mode in ("", "false", "", "text", "raise"):
        Gate.objects.create(mode=mode)
    result = Gate.objects.order_by("pk").fire("unlock", actor=ACTOR)
    assert [r.ok for r in result.results] == [True, False, True, False, False]
    assert [d.reason for r in result.results for d in r.denials][:2] == [
        "The gate is locked.",
        "Not before noon.",
    ]
    assert result.results[4].denials[0].code == "guard_error"
    assert "secret" not in str(result.results)


def test_an_effect_that_raises_fails_its_own_record_alone(caplog: pytest.LogCaptureFixture) -> None:
    gates = [Gate.objects.create(mode=mode) for mode in ("save", "edit", "save")]
    with caplog.at_level(logging.WARNING, "fsm_lifecycle"):
        result = Gate.objects.all().fire("swing", actor=ACTOR)
    assert [r.ok for r in result.results] == [True, False, True]
    assert [d.code for d in result.results[1].denials] == ["effect_failed"]
    assert [Gate.objects.get(pk=g.pk).state for g in gates] == ["open", "shut", "open"]
    assert [g.log.count() for g in gates] == [2, 1, 2]

    broken = Gate.objects.filter(state="shut").fire("break_open", actor=ACTOR)
    assert [d.code for d in broken.results[0].denials] == ["effect_failed"]
    assert "secret" not in str(broken.results)
    assert "secret" in caplog.text or "secret" in str(caplog.records[-1].exc_info)


def test_effects_get_a_record_in_its_new_state(seen: list[Any]) -> None:
    for _ in range(2):
        Gate.objects.create()
    Gate.objects.all().fire("carry", actor=ACTOR, arguments={"load": 4}, metadata={"m": 1})
    assert [(item[2], item[3], item[4].arguments["load"]) for item in seen] == [("open", 2, 4)] * 2
    assert all(item[4].metadata["m"] == 1 for item in seen)
    assert set(Gate.objects.values_list("load", flat=True)) == {4}


@pytest.mark.django_db(transaction=True)
def test_effects_after_commit_run_for_each_that_moved(seen: list[Any]) -> None:
    gates = [Gate.objects.create() for _ in range(2)]
    gates[0].fire("unlock", actor=ACTOR)
    seen.clear()
    Gate.objects.all().fire("announce", actor=ACTOR)
    assert [item[0] for item in seen] == ["broke", "after"]
    assert seen[1][1].pk == gates[1].pk
    assert seen[1][2] == "open"


@pytest.mark.django_db(transaction=True)
def test_effects_after_commit_do_not_run_where_nothing_was_done(seen: list[Any]) -> None:
    gates = [Gate.objects.create() for _ in range(2)]
    gates[1].fire("unlock", actor=ACTOR)
    seen.clear()
    Gate.objects.all().fire("announce", actor=ACTOR, all_or_nothing=True)
    assert seen == []
    assert gates[0].log.count() == 1


def test_arguments_are_cleaned_once_and_stored_in_every_row() -> None:
    for _ in range(2):
        Invoice.objects.create(amount=1, client_name="Ann")
    Invoice.objects.all().fire("send_invoice", actor=ACTOR)
    Invoice.objects.all().fire("pay", actor=ACTOR, arguments={"paid_on": "2026-11-20"})
    assert {str(i.paid_on) for i in Invoice.objects.all()} == {"2026-11-20"}
    assert Invoice.objects.in_state("paid").count() == 2


def test_wrong_arguments_refuse_every_record() -> None:
    Invoice.objects.create(amount=1, client_name="Ann").fire("send_invoice", actor=ACTOR)
    result = Invoice.objects.all().fire("pay", actor=ACTOR, arguments={"paid_on": "soon"})
    assert (result.succeeded, result.failed) == (0, 1)
    assert [(d.code, d.name) for d in result.results[0].denials] == [("invalid_arguments", "paid_on")]


def test_who_may_not_act_is_refused_for_every_record() -> None:
    lights(2)
    result = Light.objects.all().fire("switch_on", actor=AnonymousUser())
    assert [d.code for r in result.results for d in r.denials] == ["access_denied"] * 2
    with pytest.raises(ActorRequired):
        Light.objects.all().fire("switch_on")


def test_an_unknown_event_raises() -> None:
    lights(1)
    with pytest.raises(UnknownEvent):
        Light.objects.all().fire("dance", actor=ACTOR)
    with pytest.raises(UnknownEvent):
        Light.objects.all().fire(Door.Lifecycle.open_up, actor=ACTOR)


def test_nothing_to_do_is_fine() -> None:
    result = Light.objects.none().fire("switch_on", actor=ACTOR)
    assert (result.total, result.succeeded, result.failed, result.results) == (0, 0, 0, ())


@pytest.mark.parametrize("size", [0, -1, 1.5])
def test_a_batch_size_that_makes_no_sense_is_refused(size: Any) -> None:
    with pytest.raises(ValueError, match="batch_size"):
        Light.objects.all().fire("switch_on", actor=ACTOR, batch_size=size)


def test_a_sliced_ordered_or_joined_queryset_means_its_rows() -> None:
    lights(4)
    assert Light.objects.order_by("-pk")[:2].fire("switch_on", actor=ACTOR).succeeded == 2
    assert list(Light.objects.order_by("pk").values_list("state", flat=True)) == ["off", "off", "on", "on"]
    assert Light.objects.filter(state="on").distinct().fire("switch_off", actor=ACTOR).succeeded == 2


@pytest.mark.django_db(transaction=True)
def test_a_queryset_that_locks_combines_or_picks_means_its_rows() -> None:
    from django.db import connection

    lights(3)
    locking: Any = Light.objects.select_for_update()
    assert locking.fire("switch_on", actor=ACTOR).succeeded == 3
    both: Any = Light.objects.filter(name="0").union(Light.objects.filter(name="1"))
    assert both.fire("switch_off", actor=ACTOR).succeeded == 2
    if connection.vendor == "postgresql":
        picked: Any = Light.objects.order_by("state", "-name").distinct("state")
        assert picked.fire("blink", actor=ACTOR).total == 2


def test_related_managers_fire() -> None:
    from tests.testapp.shapes import Folder, Lamp

    lamp: Any = Lamp.objects.create()
    folder = Folder.objects.create(owner=lamp)
    folder.tags.add(lamp)
    tags: Any = folder.tags
    assert lamp.folders.fire("switch_on", actor=ACTOR).succeeded == 1
    assert tags.fire("switch_on", actor=ACTOR).succeeded == 1
    assert lamp.folders.select_related("owner").fire("switch_off", actor=ACTOR).succeeded == 1


def test_other_keys_and_children_with_a_table_of_their_own() -> None:
    Door.objects.create(code="a")
    Parcel.objects.create()
    Treaty.objects.create(title="t")
    assert Door.objects.all().fire("open_up", actor=ACTOR).succeeded == 1
    assert Parcel.objects.all().fire("ship", actor=ACTOR).succeeded == 1
    assert Treaty.objects.all().fire("sign", actor=ACTOR).succeeded == 1


def test_a_value_that_cannot_be_recorded_refuses_before_anything_is_written() -> None:
    lights(1)
    result = Light.objects.all().fire("switch_on", actor=ACTOR, metadata={"x": {1}})
    assert [d.name for d in result.results[0].denials] == ["metadata.x"]
    result = Light.objects.all().fire("switch_on", actor=ACTOR, metadata=["x"])  # type: ignore[arg-type]
    assert [(d.code, d.name) for d in result.results[0].denials] == [("invalid_arguments", "metadata")]
    assert TransitionLog.objects.count() == 1


def test_a_batch_costs_a_fixed_number_of_statements() -> None:
    def count(size: int) -> int:
        Light.objects.all().delete()
        lights(size)
        with statements() as sent:
            Light.objects.all().fire("switch_on", actor=ACTOR)
        return len(sent)

    assert count(40) == count(10) <= 5


@pytest.fixture
def one_at_a_time(transactional_db: None) -> Iterator[None]:
    """The database takes one light that is on, and no more."""
    if connection.vendor == "mysql":
        pytest.skip("no partial indexes")
    with connection.cursor() as cursor:
        cursor.execute("CREATE UNIQUE INDEX one_light_is_on ON testapp_light (state) WHERE state = 'on'")
    yield
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX one_light_is_on")


def test_what_the_database_refuses_stays_and_holds_back_no_other(one_at_a_time: None) -> None:
    first, second = lights(2)
    result = Light.objects.all().fire("switch_on", actor=ACTOR)
    assert [(one.pk, one.ok, [d.code for d in one.denials]) for one in result.results] == [
        (first.pk, True, []),
        (second.pk, False, ["effect_failed"]),
    ]
    assert "The database refused" in result.results[1].denials[0].reason
    assert [light.state for light in Light.objects.order_by("pk")] == ["on", "off"]
    assert all(light.replay().whole for light in Light.objects.all())


def test_all_or_nothing_is_nothing_where_the_database_refuses_one(one_at_a_time: None) -> None:
    lights(2)
    result = Light.objects.all().fire("switch_on", actor=ACTOR, all_or_nothing=True)
    assert (result.succeeded, result.failed) == (0, 1)
    assert set(Light.objects.values_list("state", flat=True)) == {"off"}
