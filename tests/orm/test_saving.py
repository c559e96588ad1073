"""Saving, creating and updating in every way Django has."""

from typing import Any

import pytest
from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Upper

from fsm_lifecycle import DirectStateChange
from tests.acting import ACTOR
from tests.testapp.gates import Gate
from tests.testapp.models import Door, Light, Report, Treaty
from tests.testapp.shapes import Folder, Lamp

pytestmark = pytest.mark.django_db


def untouched(record: Any) -> None:
    """The record's link to its log is what the log says, and it can be fired."""
    fresh = type(record).objects.get(pk=record.pk)
    entry = fresh.log.last()
    assert (fresh.lifecycle_sequence, fresh.lifecycle_head) == (entry.sequence, entry.entry_hash)
    assert getattr(fresh, fresh._lifecycle.state_name) == entry.to_state
    assert fresh.replay().whole


def test_save_writes_what_is_not_the_lifecycles() -> None:
    light = Light.objects.create()
    light.fire("switch_on", actor=ACTOR)
    light.name = "b"
    light.save()
    assert Light.objects.get().name == "b"
    untouched(light)


def test_save_by_field_names() -> None:
    gate = Gate.objects.create()
    gate.note, gate.load = "a", 5
    gate.save(update_fields=["note"])
    assert list(Gate.objects.values_list("note", "load")) == [("a", 0)]
    gate.save(update_fields=("load",))
    gate.save(update_fields=[])
    assert list(Gate.objects.values_list("note", "load")) == [("a", 5)]
    gate.partner = gate
    gate.save(update_fields=["partner_id"])
    assert Gate.objects.get().partner == gate
    unknown: Any = ["nothing"]
    with pytest.raises(ValueError, match="nothing"):
        gate.save(update_fields=unknown)
    untouched(gate)


def test_get_or_create() -> None:
    light, created = Light.objects.get_or_create(name="a", defaults={"state": "off"})
    assert created
    assert Light.objects.get_or_create(name="a") == (light, False)
    assert light.log.count() == 1
    assert light.fire("switch_on", actor=ACTOR)


def test_update_or_create() -> None:
    light, created = Light.objects.update_or_create(pk=5, defaults={"name": "a"})
    assert created
    light.fire("switch_on", actor=ACTOR)
    again, created = Light.objects.update_or_create(pk=5, defaults={"name": "b"})
    assert not created
    assert (again.name, again.state) == ("b", "on")
    assert again.fire("switch_off", actor=ACTOR).sequence == 3
    untouched(light)


def test_bulk_update_of_other_fields() -> None:
    gates = [Gate.objects.create() for _ in range(3)]
    gates[0].fire("unlock", actor=ACTOR)
    for n, gate in enumerate(gates):
        gate.load, gate.note = n, f"n{n}"
    assert Gate.objects.bulk_update(gates, ["load", "note"]) == 3
    assert list(Gate.objects.order_by("pk").values_list("load", "state")) == [
        (0, "open"),
        (1, "shut"),
        (2, "shut"),
    ]
    for gate in gates:
        untouched(gate)


def test_records_can_be_fired_after_bulk_update_wrote_their_edits() -> None:
    gate = Gate.objects.create()
    gate.load = 7
    Gate.objects.bulk_update([gate], ["load"])
    assert gate.fire("remove", actor=ACTOR)


@pytest.mark.parametrize(
    "values",
    [
        {"load": 3},
        {"load": F("load") + 1},
        {"note": Value("x")},
        {"note": Upper("mode")},
        {"load": Case(When(Q(state="shut"), then=Value(9)), default=F("load"))},
        {"partner": None},
        {"note": F("state")},
    ],
)
def test_update_of_other_fields(values: Any) -> None:
    gate = Gate.objects.create(mode="m")
    assert Gate.objects.filter(state="shut").update(**values) == 1
    untouched(gate)
    gate.refresh_from_db()
    assert gate.fire("remove", actor=ACTOR)


def test_update_through_a_join_and_a_child() -> None:
    report, treaty = Report.objects.create(title="r"), Treaty.objects.create(title="t")
    Report.objects.update(title="x", pages=9)
    Treaty.objects.filter(title="t").update(parties=4)
    report.refresh_from_db()
    assert (report.title, report.pages) == ("x", 9)
    untouched(report)
    untouched(treaty)


def test_select_for_update_hands_out_whole_records() -> None:
    from django.db import transaction

    Light.objects.create()
    with transaction.atomic():
        light = Light.objects.select_for_update().get()
        light.fire("switch_on", actor=ACTOR)
    untouched(light)


def test_a_text_key_saves_over_what_is_there_but_never_over_the_state() -> None:
    Door.objects.create(code="a").fire("open_up", actor=ACTOR)
    door: Any = Door(code="a")
    door.save()
    fresh: Any = Door.objects.get()
    assert fresh.position == "open"
    untouched(door)


def test_a_key_that_exists_cannot_be_used_to_smuggle_a_state_in() -> None:
    from django.db import transaction

    light = Light.objects.create()
    with pytest.raises(DirectStateChange), transaction.atomic():
        Light(pk=light.pk, state="on").save()
    untouched(light)


def test_automatic_fields_and_relations_are_saved_as_ever() -> None:
    lamp = Lamp.objects.create()
    folder = Folder.objects.create(owner=lamp)
    before = folder.touched_at
    folder.save()
    assert folder.touched_at > before
    folder.tags.set([lamp])
    assert folder.tags.get() == lamp
    related: Any = lamp
    related.folders.add(Folder.objects.create(), bulk=True)
    assert related.folders.count() == 2
    assert related.folders.in_state("off").count() == 2
    untouched(folder)


def test_an_interrupted_save_says_what_was_not_saved() -> None:
    from django.db import IntegrityError, transaction

    from fsm_lifecycle import UnsavedChanges

    gate = Gate.objects.create()
    gate.note = None  # type: ignore[assignment]
    with pytest.raises(IntegrityError), transaction.atomic():
        gate.save()
    with pytest.raises(UnsavedChanges, match="note"):
        gate.fire("remove", actor=ACTOR)


def test_a_save_that_was_rolled_back_leaves_memory_ahead_but_never_writes_it_half() -> None:
    from tests.acting import rolled_back

    light = Light.objects.create(name="a")
    with rolled_back():
        light.name = "b"
        light.save()
    light.fire("switch_on", actor=ACTOR)
    assert Light.objects.get().name == "a"
    assert light.log.count() == 2


def test_aggregates_values_and_subqueries_are_ordinary() -> None:
    from django.db.models import Count

    for n in range(3):
        Light.objects.create(name=str(n))
    Light.objects.filter(name="0").fire("switch_on", actor=ACTOR)
    assert dict(Light.objects.values_list("state").annotate(n=Count("pk")).order_by("state")) == {
        "off": 2,
        "on": 1,
    }
    assert Light.objects.filter(pk__in=Light.objects.in_state("on").values("pk")).count() == 1
    assert type(Light.objects.values_list("state", flat=True)[0]) is str
