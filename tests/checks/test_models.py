"""What the model adds to the table's defects: columns, names, managers, keys, labels."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
from django import forms
from django.apps import apps
from django.contrib.auth.models import User
from django.db import models
from django.test.utils import isolate_apps
from guardian.models.models import UserObjectPermissionBase

from fsm_lifecycle import Event, Snapshot, State
from fsm_lifecycle.checks import lifecycles as checks
from fsm_lifecycle.models import LifecycleManager, LifecycleModel, LifecycleQuerySet
from tests.checks.asking import ids, messages, sound_members, thing
from tests.definition.declaring import declare, lifecycle
from tests.testapp.models import DisputedInvoice, Document, Invoice, Report, Treaty

pytestmark = pytest.mark.pure

Model = type[LifecycleModel]


class StateForm(forms.Form):
    state_since = forms.DateTimeField()


class KeyForm(forms.Form):
    code = forms.CharField()


class NoteForm(forms.Form):
    note = forms.CharField()


class PartiesForm(forms.Form):
    title = forms.CharField()


class TagsForm(forms.Form):
    tags = forms.CharField()


class OldManager(LifecycleManager[Any]):
    pass


def sound(*bases: Any, name: str = "Thing", event: Event | None = None, **attributes: Any) -> Model:
    """A sound lifecycle on a model with these attributes, with one event more if one is given."""
    members = sound_members() if event is None else {**sound_members(), "more": event}
    return declare(lifecycle(**members), *bases, name=name, **attributes)


def storing(form: type[forms.Form], name: str) -> Event:
    return Event("a", to="b", arguments=form, stores=[name])


def a_child_that_stores_in_its_parents_table() -> Model:
    refined = lifecycle(
        Document.Lifecycle, edit=Event("draft", to="draft", arguments=PartiesForm, stores=["title"])
    )
    return declare(refined, Document, name="Letter")


def a_child_that_stores_in_its_own_table() -> Model:
    refined = lifecycle(
        Document.Lifecycle, edit=Event("draft", to="draft", arguments=NoteForm, stores=["note"])
    )
    return declare(refined, Document, name="Letter", note=models.CharField(max_length=9))


class _DatabaseOnDelete:
    """What `on_delete` is there, from Django 6.1 on."""

    def __init__(self, operation: str) -> None:
        self.operation = operation

    def __call__(self, collector: Any, field: Any, sub_objs: Any, using: Any) -> None: ...


DB_CASCADE = getattr(models, "DB_CASCADE", _DatabaseOnDelete("CASCADE"))
DB_SET_NULL = getattr(models, "DB_SET_NULL", _DatabaseOnDelete("SET NULL"))


def a_child_that_begins_elsewhere(**meta: Any) -> Model:
    parent: Any = sound(name="Parent")
    other = {"idea": State("idea", initial=True), "a": State("a"), "write": Event("idea", to="a")}
    return declare(lifecycle(parent.Lifecycle, **other), parent, meta=meta)


DEFECTS: dict[str, tuple[str, Callable[[], Model], str]] = {
    "no nested class": ("E030", lambda: declare(None), "without a lifecycle"),
    "an argument stored in a column of the package": (
        "E031",
        lambda: sound(event=storing(StateForm, "state_since")),
        "state_since",
    ),
    "an argument stored in the key": (
        "E031",
        lambda: sound(event=storing(KeyForm, "code"), code=models.CharField(max_length=9, primary_key=True)),
        "code",
    ),
    "an argument stored nowhere": ("E032", lambda: sound(event=storing(NoteForm, "note")), "“note”"),
    "an argument stored in many rows": (
        "E032",
        lambda: sound(event=storing(TagsForm, "tags"), tags=models.ManyToManyField("self")),
        "“tags”",
    ),
    "an argument stored in another table": ("E032", a_child_that_stores_in_its_own_table, "“note”"),
    "a snapshot of an unknown field": (
        "E033",
        lambda: thing(snapshot=Snapshot.every("colour")),
        "“colour”",
    ),
    "an event that hides a method": (
        "E035",
        lambda: thing(save=Event("a", to="b")),
        "“save”",
    ),
    "an event that hides a field": (
        "E035",
        lambda: sound(event=Event("a", to="b"), more=models.IntegerField()),
        "“more”",
    ),
    "an event whose can_ hides a method": (
        "E035",
        lambda: sound(event=Event("a", to="b"), can_more=lambda self: True),
        "“can_more”",
    ),
    "a state whose is_ hides a property": (
        "E035",
        lambda: sound(is_b=property(lambda self: True)),
        "“is_b”",
    ),
    "two events that want one name": (
        "E035",
        lambda: thing(run=Event("a", to="b"), can_run=Event("a", to="b")),
        "“can_run”",
    ),
    "an event that hides a child's own method": (
        "E035",
        lambda: declare(None, Invoice, meta={"proxy": True}, cancel=lambda self: "mine"),
        "“cancel”",
    ),
    "a manager that is not ours": ("E036", lambda: sound(objects=models.Manager()), "objects"),
    "a second manager that is not ours": ("E036", lambda: sound(plain=models.Manager()), "plain"),
    "a key of a kind that the log cannot name": (
        "E037",
        lambda: sound(key=models.DecimalField(max_digits=9, decimal_places=2, primary_key=True)),
        "DecimalField",
    ),
    "a key of two columns": (
        "E037",
        lambda: sound(
            pk=models.CompositePrimaryKey("x", "y"), x=models.IntegerField(), y=models.IntegerField()
        ),
        "CompositePrimaryKey",
    ),
    "an event with a long name": ("E038", lambda: thing(**{"x" * 101: Event("a", to="b")}), "xxx"),
    "a child with a label of its own": (
        "E041",
        lambda: declare(lifecycle(Invoice.Lifecycle, label="x.y"), Invoice, meta={"proxy": True}),
        "testapp.invoice",
    ),
    "a child with a table, and a beginning, of its own": ("E103", a_child_that_begins_elsewhere, "Parent"),
    "a proxy with a beginning of its own": ("E103", lambda: a_child_that_begins_elsewhere(proxy=True), "“a”"),
    "records that the database removes by itself": (
        "E104",
        lambda: sound(owner=models.ForeignKey(User, DB_CASCADE, related_name="+")),
        "Thing.owner has on_delete=DB_CASCADE",
    ),
    "a long label": ("E039", lambda: thing(label="x" * 101), "xxx"),
}


@pytest.mark.parametrize(("id_", "make", "names"), DEFECTS.values(), ids=DEFECTS)
def test_a_defect_is_named_by_its_check_alone(id_: str, make: Callable[[], Model], names: str) -> None:
    model = make()
    found = messages(model)
    assert ids(found) == [id_], found
    (message,) = found
    assert names in message.msg
    assert message.hint
    assert message.obj is model


SOUND: dict[str, Callable[[], Model]] = {
    "an integer key": sound,
    "a UUID key": lambda: sound(id=models.UUIDField(primary_key=True)),
    "a text key": lambda: sound(id=models.SlugField(primary_key=True)),
    "another model's key": lambda: sound(
        invoice=models.OneToOneField(Invoice, models.CASCADE, primary_key=True, related_name="+")
    ),
    "a manager of ours": lambda: sound(objects=LifecycleManager()),
    "a manager derived from ours": lambda: sound(objects=OldManager()),
    "a manager made of our queryset": lambda: sound(
        objects=models.Manager.from_queryset(LifecycleQuerySet)()
    ),
    "an argument stored in a parent's table": a_child_that_stores_in_its_parents_table,
    "a snapshot of a foreign key by either name": lambda: declare(
        lifecycle(**sound_members(), snapshot=Snapshot.every("invoice", "invoice_id")),
        invoice=models.ForeignKey(Invoice, models.CASCADE, related_name="+"),
    ),
    "a foreign key that the database sets to nothing": lambda: sound(
        owner=models.ForeignKey(User, DB_SET_NULL, null=True, related_name="+")
    ),
    "an event name of 95 characters": lambda: thing(**{"x" * 95: Event("a", to="b")}),
}


@pytest.mark.parametrize("make", SOUND.values(), ids=SOUND)
def test_a_sound_model_has_no_defect(make: Callable[[], Model]) -> None:
    assert messages(make()) == []


def test_a_cascade_of_the_database_is_told_of_the_parent_alone() -> None:
    parent = sound(name="Parent", owner=models.ForeignKey(User, DB_CASCADE, related_name="+"))
    child = declare(None, parent, name="Child")
    proxy = declare(None, parent, name="Proxy", meta={"proxy": True})
    assert [message.obj for message in messages(parent, child, proxy)] == [parent]


def test_grants_that_the_database_removes_by_itself_are_found() -> None:
    with isolate_apps("tests.testapp"):

        class Right(UserObjectPermissionBase):
            content_object = models.ForeignKey(Invoice, DB_CASCADE, related_name="+")
            permission = models.ForeignKey("auth.Permission", models.CASCADE, related_name="+")
            user = models.ForeignKey(User, models.CASCADE, related_name="+")

            class Meta:
                app_label = "testapp"

        class Note(models.Model):
            invoice = models.ForeignKey(Invoice, DB_CASCADE, related_name="+")

            class Meta:
                app_label = "testapp"

    (message,) = messages(Right, Note)
    assert message.id == "fsm_lifecycle.E104"
    assert "Right.content_object has on_delete=DB_CASCADE" in message.msg
    assert message.obj is Right


# --- names that are taken ---------------------------------------------------------------------------------------


def test_what_the_model_has_already_stays_what_it_was() -> None:
    def mine(self: Any) -> str:
        return "mine"

    model = sound(event=Event("a", to="b"), more=mine)
    assert model.more is mine  # type: ignore[attr-defined]
    assert ids(messages(model)) == ["E035"]


def test_a_childs_own_method_stays_what_it_was() -> None:
    def mine(self: Any) -> str:
        return "mine"

    model = declare(None, Invoice, meta={"proxy": True}, cancel=mine)
    assert model.cancel is mine  # type: ignore[attr-defined]


def test_a_child_may_refine_an_event_of_the_same_name() -> None:
    assert messages(Invoice, DisputedInvoice, Document, Report, Treaty) == []


def test_a_relation_from_elsewhere_that_takes_a_name_is_found() -> None:
    with isolate_apps("tests.testapp"):
        meta = type("Meta", (), {"app_label": "testapp"})
        base = {"__module__": __name__, "Meta": meta}
        target = type("Target", (LifecycleModel,), {**base, "Lifecycle": lifecycle(**sound_members())})
        key = models.ForeignKey(target, models.CASCADE, related_name="go")
        type("Pointer", (models.Model,), {**base, "key": key})
        assert ids(messages(target)) == ["E035"]


# --- labels ------------------------------------------------------------------------------------------------------


def test_two_models_that_write_one_log_are_named() -> None:
    first = declare(lifecycle(**sound_members(), label="old.thing"), name="First")
    second = declare(lifecycle(**sound_members(), label="old.thing"), name="Second")
    found = messages(first, second)
    assert ids(found) == ["E040"]
    assert "First" in found[0].msg
    assert "Second" in found[0].msg
    assert found[0].obj is second
    assert found[0].hint


def test_a_family_writes_one_log_and_is_not_named() -> None:
    assert messages(Document, Report, Treaty) == []


@pytest.mark.parametrize("label", [5, Event("a", to="b")])
def test_a_label_that_is_no_text_is_named(label: Any) -> None:
    (message,) = messages(thing(label=label))
    assert message.id == "fsm_lifecycle.E024"
    assert "label" in message.msg
    assert message.hint


def test_a_model_that_takes_anothers_label_is_named() -> None:
    assert ids(messages(Invoice, thing(label="testapp.invoice"))) == ["E040"]


# --- how the checks are run -----------------------------------------------------------------------------------------


def test_only_the_apps_that_are_asked_for_are_looked_at() -> None:
    defective = thing(a=State("a"))
    with mock.patch.object(checks, "apps", SimpleNamespace(get_models=lambda: [defective])):
        assert ids(checks.check_lifecycles([apps.get_app_config("testapp")])) == ["E002"]
        assert checks.check_lifecycles([apps.get_app_config("auth")]) == []


def test_models_without_a_lifecycle_are_nobodys_business() -> None:
    assert messages(User) == []
