"""Validation, model forms and the admin's way of saving."""

from typing import Any

import pytest
from django import forms
from django.contrib.auth.models import User
from django.core.exceptions import FieldError, ValidationError

from tests.acting import ACTOR
from tests.testapp.gates import Gate
from tests.testapp.models import Door, Light, Report
from tests.testapp.shapes import Lamp

pytestmark = pytest.mark.django_db


class GateForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Gate
        fields = ["mode", "note", "load", "partner", "extra"]


def test_the_lifecycles_columns_are_in_no_form() -> None:
    every: Any = forms.modelform_factory(Gate, exclude=[])
    assert list(every().fields) == ["mode", "note", "load", "partner", "extra"]


def test_naming_the_state_in_a_form_is_an_error() -> None:
    with pytest.raises(FieldError):
        forms.modelform_factory(Gate, fields=["state"])


def test_a_form_creates_and_edits_and_never_moves() -> None:
    form = GateForm({"mode": "", "note": "a", "load": "1", "extra": "{}", "state": "open"})
    gate = form.save()
    assert gate.log.count() == 1
    gate.fire("unlock", actor=ACTOR)
    form = GateForm(
        {"mode": "x", "note": "b", "load": "2", "extra": '{"a": 1}', "state": "shut"}, instance=gate
    )
    assert form.is_valid(), form.errors
    form.save()
    fresh = Gate.objects.get()
    assert (fresh.state, fresh.note, fresh.load, fresh.extra) == ("open", "b", 2, {"a": 1})
    assert gate.fire("close", actor=ACTOR).sequence == 3


def test_a_form_that_was_validated_but_not_saved_leaves_edits_that_are_noticed() -> None:
    from fsm_lifecycle import UnsavedChanges

    gate = Gate.objects.create()
    assert GateForm({"note": "b", "load": "2", "extra": "{}"}, instance=gate).is_valid()
    with pytest.raises(UnsavedChanges):
        gate.fire("unlock", actor=ACTOR)


def test_a_formset_edits_many() -> None:
    lamps = [Lamp.objects.create(watts=n) for n in (1, 2)]
    lamps[0].fire("switch_on", actor=ACTOR)
    factory: Any = forms.modelformset_factory(Lamp, fields=["watts"], extra=0)
    data: dict[str, Any] = {"form-TOTAL_FORMS": 2, "form-INITIAL_FORMS": 2}
    for n, lamp in enumerate(lamps):
        data |= {f"form-{n}-id": lamp.pk, f"form-{n}-watts": 60}
    formset = factory(data, queryset=Lamp.objects.order_by("pk"))
    assert formset.is_valid(), formset.errors
    formset.save()
    assert list(Lamp.objects.order_by("pk").values_list("watts", "phase")) == [(60, "on"), (60, "off")]


@pytest.mark.parametrize(
    "record",
    [
        lambda: Light(name="a"),
        lambda: Light.objects.create(name="a"),
        lambda: Light.objects.get(pk=Light.objects.create(name="a").pk),
        lambda: Door(code="a"),
        lambda: Report.objects.create(title="t"),
        lambda: Lamp.objects.create(),
    ],
)
def test_full_clean_works_on_new_and_loaded_records(record: Any) -> None:
    it = record()
    it.full_clean()
    it.save()
    it.full_clean()
    event = it.available_events()[0]
    it.fire(event, actor=ACTOR)
    it.full_clean()
    it.save()
    assert [entry.event for entry in it.log] == [None, event.name]


def test_full_clean_still_finds_what_is_wrong() -> None:
    gate = Gate.objects.create()
    gate.note = "x" * 100
    with pytest.raises(ValidationError, match="20"):
        gate.full_clean()


def test_the_admin_creates_edits_and_deletes(client: Any) -> None:
    from django.contrib import admin
    from django.urls import clear_url_caches, reverse

    client.force_login(User.objects.create_superuser("root"))
    if admin.site.is_registered(Light):
        admin.site.unregister(Light)
    admin.site.register(Light)
    try:
        clear_url_caches()
        import importlib

        from tests import urls

        importlib.reload(urls)
        response = client.post(reverse("admin:testapp_light_add"), {"name": "hall"})
        assert response.status_code == 302
        light = Light.objects.get()
        entry = light.log.get()
        assert entry.actor_label == "root"
        client.post(reverse("admin:testapp_light_change", args=[light.pk]), {"name": "stairs", "state": "on"})
        light.refresh_from_db()
        assert (light.name, light.state) == ("stairs", "off")
        client.post(reverse("admin:testapp_light_delete", args=[light.pk]), {"post": "yes"})
        assert not Light.objects.exists()
    finally:
        admin.site.unregister(Light)
        clear_url_caches()
