"""Edits not yet saved are never lost or half written."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.db.models import F
from django.db.models.signals import post_save, pre_save

from fsm_lifecycle import LifecycleError, UnsavedChanges
from tests.acting import ACTOR, memory_of
from tests.testapp.gates import Gate
from tests.testapp.models import Invoice, Light
from tests.testapp.shapes import Folder, Lamp

pytestmark = pytest.mark.django_db


def test_unsaved_changes_are_named_and_nothing_happens() -> None:
    invoice = Invoice.objects.create(amount=5, client_name="Ann")
    invoice.client_name, invoice.amount = "Bob", Decimal(7)
    before = memory_of(invoice)
    with pytest.raises(UnsavedChanges) as caught:
        invoice.fire("send_invoice", actor=ACTOR)
    assert set(caught.value.fields) == {"client_name", "amount"}
    assert "client_name" in str(caught.value)
    assert "amount" in str(caught.value)
    assert isinstance(caught.value, LifecycleError)
    assert caught.value.code == "unsaved_changes"
    assert memory_of(invoice) == before
    assert Invoice.objects.get(pk=invoice.pk).state == "draft"


@pytest.mark.parametrize("load", ["get", "create", "refresh", "filter", "iterator", "saved"])
def test_however_the_record_came_into_memory(load: str) -> None:
    light = Light.objects.create(name="a")
    if load == "refresh":
        light.refresh_from_db()
    elif load == "get":
        light = Light.objects.get()
    elif load == "filter":
        (light,) = Light.objects.filter(name="a")
    elif load == "iterator":
        (light,) = Light.objects.iterator()
    elif load == "saved":
        light = Light.objects.get()
        light.name = "b"
        light.save()
    light.name = "c"
    with pytest.raises(UnsavedChanges, match="name"):
        light.fire("switch_on", actor=ACTOR)
    light.save()
    assert light.fire("switch_on", actor=ACTOR)
    assert Light.objects.get().name == "c"


def test_taking_an_edit_back_is_enough() -> None:
    light = Light.objects.create(name="a")
    light.name = "b"
    light.name = "a"
    assert light.fire("switch_on", actor=ACTOR)
    light.name = "b"
    light.refresh_from_db()
    assert light.fire("switch_off", actor=ACTOR)


def test_only_this_copys_own_edits_count() -> None:
    mine, other = Light.objects.create(name="a"), Light.objects.get()
    other.name = "by somebody else"
    other.save()
    assert mine.fire("switch_on", actor=ACTOR)
    assert Light.objects.get().name == "by somebody else"


def test_a_partial_save_leaves_the_other_edits_unsaved() -> None:
    gate = Gate.objects.create()
    gate.note, gate.load = "x", 3
    gate.save(update_fields=["note"])
    with pytest.raises(UnsavedChanges) as caught:
        gate.fire("unlock", actor=ACTOR)
    assert caught.value.fields == ("load",)


def test_a_partial_refresh_leaves_the_other_edits_unsaved() -> None:
    gate = Gate.objects.create()
    gate.note, gate.load = "x", 3
    gate.refresh_from_db(fields=["note"])
    with pytest.raises(UnsavedChanges) as caught:
        gate.fire("unlock", actor=ACTOR)
    assert caught.value.fields == ("load",)


def test_fields_may_be_named_by_a_generator() -> None:
    gate = Gate.objects.create()
    gate.note = "x"
    gate.save(update_fields=(name for name in ["note"]))
    assert Gate.objects.get(pk=gate.pk).note == "x"
    Gate.objects.filter(pk=gate.pk).update(load=4)
    gate.refresh_from_db(fields=(name for name in ["load"]))
    assert gate.load == 4
    assert gate.fire("unlock", actor=ACTOR)


def test_a_foreign_key_set_through_its_record_counts() -> None:
    gate = Gate.objects.create()
    gate.partner = Gate.objects.create()
    with pytest.raises(UnsavedChanges, match="partner"):
        gate.fire("unlock", actor=ACTOR)


def test_another_spelling_of_the_same_value_is_no_edit() -> None:
    invoice = Invoice.objects.create(amount=Decimal("5.00"), client_name="Ann", paid_on=date(2026, 1, 2))
    invoice = Invoice.objects.get(pk=invoice.pk)
    invoice.amount = "5.0"
    invoice.paid_on = "2026-01-02"
    assert invoice.fire("send_invoice", actor=ACTOR)


def test_full_clean_makes_no_edits() -> None:
    invoice = Invoice.objects.create(amount=Decimal("5.00"), client_name="Ann", extra={"a": 1})
    for record in (invoice, Invoice.objects.get(pk=invoice.pk)):
        record.clean_fields(exclude=["created_by", "paid_on"])
    assert invoice.fire("send_invoice", actor=ACTOR)


def test_a_file_that_was_only_looked_at_is_no_edit() -> None:
    folder = Folder.objects.create(paper="a.txt")
    folder = Folder.objects.get(pk=folder.pk)
    assert folder.paper.name == "a.txt"
    assert folder.fire("switch_on", actor=ACTOR)
    folder.paper = "b.txt"
    with pytest.raises(UnsavedChanges, match="paper"):
        folder.fire("switch_off", actor=ACTOR)


def test_what_the_field_fills_in_on_saving_is_no_edit() -> None:
    folder = Folder.objects.create(owner=Lamp.objects.create())
    folder.count = 3
    folder.save()
    assert folder.fire("switch_on", actor=ACTOR)


def test_an_expression_that_was_saved_is_no_edit() -> None:
    gate = Gate.objects.create(load=1)
    gate.load = F("load") + 1
    gate.save()
    gate.fire("unlock", actor=ACTOR)
    gate.refresh_from_db()
    assert (gate.load, gate.state) == (2, "open")


def test_an_expression_that_was_saved_is_replaced_before_effects_see_it(seen: list[Any]) -> None:
    gate = Gate.objects.create(load=1)
    gate.load = F("load") + 1
    gate.save()
    gate.fire("swing", actor=ACTOR)
    assert gate.load == 2


def test_an_edit_of_a_deferred_field_counts() -> None:
    light = Light.objects.defer("name").get(pk=Light.objects.create(name="a").pk)
    light.name = "b"
    with pytest.raises(UnsavedChanges, match="name"):
        light.fire("switch_on", actor=ACTOR)


def test_looking_at_a_deferred_field_is_no_edit() -> None:
    light = Light.objects.defer("name").get(pk=Light.objects.create(name="a").pk)
    assert light.name == "a"
    assert light.fire("switch_on", actor=ACTOR)


def test_a_record_that_was_never_saved_cannot_be_fired() -> None:
    with pytest.raises(UnsavedChanges, match="never saved"):
        Light().fire("switch_on", actor=ACTOR)
    with pytest.raises(UnsavedChanges):
        Light(pk=99).fire("switch_on", actor=ACTOR)


def test_attributes_that_are_no_fields_do_not_matter() -> None:
    light: Any = Light.objects.create()
    light.mood = "bright"
    assert light.fire("switch_on", actor=ACTOR)
    assert light.mood == "bright"


def test_annotations_do_not_matter() -> None:
    Light.objects.create(name="a")
    light: Any = Light.objects.annotate(twice=F("id") * 2).get()
    assert light.fire("switch_on", actor=ACTOR)
    assert light.twice == light.pk * 2


def test_an_expression_that_is_set_once_more_is_an_edit() -> None:
    gate = Gate.objects.create()
    gate.load = F("load") + 1
    gate.save()
    gate.load = F("load") + 1
    with pytest.raises(UnsavedChanges) as caught:
        gate.fire("swing", actor=ACTOR)
    assert caught.value.fields == ("load",)


@pytest.fixture
def on_save() -> Iterator[list[Any]]:
    """What a receiver of ``post_save`` does."""
    done: list[Any] = []

    def receive(instance: Light, **kwargs: Any) -> None:
        for act in done:
            act(instance)

    post_save.connect(receive, sender=Light)
    yield done
    post_save.disconnect(receive, sender=Light)


@pytest.mark.parametrize("fields", [None, ["name"]])
def test_a_receiver_of_post_save_fires_on_what_was_just_written(
    fields: list[str] | None, on_save: list[Any]
) -> None:
    light = Light.objects.create()
    on_save.append(lambda light: light.fire("switch_on", actor=ACTOR))
    light.name = "edited"
    light.save(update_fields=fields)
    assert (light.state, light.name) == ("on", "edited")
    light.refresh_from_db()
    assert (light.state, light.name) == ("on", "edited")


def test_what_a_receiver_of_post_save_edits_is_not_taken_for_saved(on_save: list[Any]) -> None:
    light = Light.objects.create()
    on_save.append(lambda light: setattr(light, "name", "later"))
    light.save()
    with pytest.raises(UnsavedChanges):
        light.fire("switch_on", actor=ACTOR)


def test_a_save_that_fails_leaves_the_edits_edits() -> None:
    light = Light.objects.create()

    def refuse(**kwargs: Any) -> None:
        raise RuntimeError

    light.name = "edited"
    pre_save.connect(refuse, sender=Light)
    try:
        with pytest.raises(RuntimeError):
            light.save()
    finally:
        pre_save.disconnect(refuse, sender=Light)
    with pytest.raises(UnsavedChanges):
        light.fire("switch_on", actor=ACTOR)
