"""Loading: quick where it can be, in Django's way where a class asks for it, and always complete."""

import copy
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest
from django.db.models.signals import post_init, pre_init

from fsm_lifecycle import UnsavedChanges
from tests.acting import ACTOR, statements
from tests.testapp.models import Door, Invoice, Light, Parcel, Report, Treaty
from tests.testapp.shapes import MADE, Folder, Initialised, Labelled, Lamp, Pump, Watchful

pytestmark = pytest.mark.django_db


@contextmanager
def listening(signal: Any, sender: Any) -> Iterator[list[Any]]:
    heard: list[Any] = []

    def receiver(sender: Any, **kwargs: Any) -> None:
        heard.append(kwargs.get("instance") or kwargs.get("args"))

    signal.connect(receiver, sender=sender)
    try:
        yield heard
    finally:
        signal.disconnect(receiver, sender=sender)


def full_circle(model: Any, **values: Any) -> Any:
    """Create, load, compare, edit, save, fire: what must work for every shape."""
    created = model.objects.create(**values)
    loaded = model.objects.get(pk=created.pk)
    for field in model._meta.concrete_fields:
        assert getattr(loaded, field.attname) == getattr(created, field.attname), field.attname
    assert loaded == created
    assert loaded._state.db == "default"
    assert not loaded._state.adding
    assert loaded.get_deferred_fields() == set()
    event = next(iter(loaded.available_events()))
    assert loaded.fire(event, actor=ACTOR).sequence == 2
    return model.objects.get(pk=created.pk)


@pytest.mark.parametrize(
    ("model", "values"),
    [
        (Light, {"name": "a"}),
        (Invoice, {"amount": Decimal("1.50"), "client_name": "Ann", "extra": {"a": [1]}}),
        (Door, {"code": "a"}),
        (Parcel, {"weight": 2.5}),
        (Report, {"title": "t", "pages": 3}),
        (Treaty, {"title": "t", "parties": 3}),
        (Lamp, {"watts": 5}),
        (Pump, {"litres": 5}),
        (Labelled, {"code": "ab"}),
        (Initialised, {"name": "a"}),
        (Watchful, {"name": "a"}),
        (Folder, {"paper": "a.txt", "count": 2}),
    ],
)
def test_every_shape_goes_the_full_circle(model: Any, values: dict[str, Any]) -> None:
    full_circle(model, **values)


def test_a_descriptor_that_wants_to_be_called_is_called() -> None:
    Labelled.objects.bulk_create([Labelled(code="ab")])
    assert Labelled.objects.get().code == "AB"
    assert Labelled.objects.only("code").get().code == "AB"


def test_an_overridden_init_is_called() -> None:
    Initialised.objects.create(name="a")
    MADE.clear()
    loaded = Initialised.objects.get()
    assert MADE == ["Initialised"]
    assert loaded.name_at_start == "a"
    assert loaded.fire("switch_on", actor=ACTOR)
    loaded.name = "b"
    with pytest.raises(UnsavedChanges, match="name"):
        loaded.fire("switch_off", actor=ACTOR)


def test_an_overridden_setattr_is_called() -> None:
    Watchful.objects.create(name="a")
    loaded: Any = Watchful.objects.get()
    assert loaded.touched == 1
    assert loaded.fire("switch_on", actor=ACTOR)


@pytest.mark.parametrize("signal", [pre_init, post_init])
def test_listeners_of_the_init_signals_hear(signal: Any) -> None:
    Light.objects.create(name="a")
    with listening(signal, Light) as heard:
        light = Light.objects.get()
    assert len(heard) == 1
    assert light.fire("switch_on", actor=ACTOR)
    light.name = "b"
    with pytest.raises(UnsavedChanges):
        light.fire("switch_off", actor=ACTOR)


def test_a_listener_for_every_model_hears() -> None:
    Light.objects.create()
    with listening(post_init, None) as heard:
        light = Light.objects.get()
    assert light in heard


@pytest.mark.parametrize("fields", [["name"], ["state"], ["pk"], ["lifecycle_head", "name"]])
def test_only_and_defer_load_the_rest_when_it_is_asked_for(fields: list[str]) -> None:
    created = Light.objects.create(name="a")
    only = Light.objects.only(*fields).get()
    names = {f.attname for f in Light._meta.concrete_fields}
    wanted = {"id" if name == "pk" else name for name in fields} | {"id"}
    assert only.get_deferred_fields() == names - wanted
    for field in Light._meta.concrete_fields:
        assert getattr(only, field.attname) == getattr(created, field.attname)
    assert only.get_deferred_fields() == set()
    assert only.fire("switch_on", actor=ACTOR)

    deferred = Light.objects.defer(*[name for name in fields if name != "pk"]).get()
    assert deferred.fire("switch_off", actor=ACTOR)
    assert Light.objects.get().state == "off"


@pytest.mark.parametrize("stale", [True, False])
def test_a_deferred_link_is_read_all_at_once(stale: bool) -> None:
    created = Light.objects.create(name="a")
    light = Light.objects.only("name").get()
    if stale:
        created.fire("switch_on", actor=ACTOR)
    with statements() as sent:
        entry = light.fire("switch_off" if stale else "switch_on", actor=ACTOR)
    assert [sql.split()[0] for sql in sent] == ["SELECT", "UPDATE", "INSERT"]
    assert entry.sequence == (3 if stale else 2)


def test_a_partly_loaded_record_saves_only_what_it_has() -> None:
    Light.objects.create(name="a")
    light = Light.objects.only("state").get()
    light.save()
    light = Light.objects.only("name").get()
    light.name = "b"
    light.save()
    fresh = Light.objects.get()
    assert (fresh.name, fresh.state) == ("b", "off")
    assert light.fire("switch_on", actor=ACTOR)


def test_select_related_fills_whole_records() -> None:
    lamp = Lamp.objects.create(watts=7)
    Folder.objects.create(owner=lamp)
    with statements() as sent:
        folder = Folder.objects.select_related("owner").get()
        assert folder.owner is not None
        assert folder.owner.watts == 7
    assert len(sent) == 1
    assert folder.owner.fire("switch_on", actor=ACTOR)
    folder.owner.watts = 8
    with pytest.raises(UnsavedChanges):
        folder.owner.fire("switch_off", actor=ACTOR)
    assert folder.fire("switch_on", actor=ACTOR)
    narrow = Folder.objects.select_related("owner").only("count", "owner__watts").get()
    assert narrow.owner is not None
    assert narrow.owner.watts == 7
    assert narrow.owner.phase == "on"


def test_prefetched_records_are_whole() -> None:
    lamp = Lamp.objects.create()
    Folder.objects.create(owner=lamp).tags.add(lamp)
    (loaded,) = Lamp.objects.prefetch_related("folders")
    related: Any = loaded
    assert related.folders.all()[0].fire("switch_on", actor=ACTOR)
    (folder,) = Folder.objects.prefetch_related("tags")
    assert folder.tags.all()[0].fire("switch_on", actor=ACTOR)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM testapp_light",
        "SELECT id, name FROM testapp_light",
        "SELECT name, lifecycle_head, state, lifecycle_sequence, state_since, id FROM testapp_light",
        "SELECT id, state AS state, 1 AS extra FROM testapp_light",
    ],
)
def test_raw_queries_fill_records(sql: str) -> None:
    created = Light.objects.create(name="a")
    (light,) = Light.objects.raw(sql)
    for field in Light._meta.concrete_fields:
        assert getattr(light, field.attname) == getattr(created, field.attname)
    assert light.fire("switch_on", actor=ACTOR)
    light.name = "b"
    with pytest.raises(UnsavedChanges):
        light.fire("switch_off", actor=ACTOR)


def test_loaded_records_can_be_pickled_copied_and_fired() -> None:
    Light.objects.create(name="a")
    for clone in (pickle.loads, copy.copy, copy.deepcopy):
        light = Light.objects.get()
        twin: Any = clone(pickle.dumps(light) if clone is pickle.loads else light)
        assert twin == light
        twin.name = "edited"
        with pytest.raises(UnsavedChanges):
            twin.fire("switch_on", actor=ACTOR)
        assert light.name == "a"
        twin.refresh_from_db()
        event = "switch_on" if twin.state == "off" else "switch_off"
        assert twin.fire(event, actor=ACTOR)
        with pytest.raises(Exception, match="changed since"):
            light.fire(event, actor=ACTOR)


def test_a_pickled_entry_and_queryset_come_back() -> None:
    light = Light.objects.create()
    entry = light.fire("switch_on", actor=ACTOR, metadata={"a": 1})
    again = pickle.loads(pickle.dumps(entry))
    assert again == entry
    assert again.metadata == {"a": 1}
    assert list(pickle.loads(pickle.dumps(Light.objects.all()))) == [light]
