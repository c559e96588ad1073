"""A child class refines its parent's table: proxy, multi-table and abstract inheritance."""

from typing import Any

import pytest
from django.db import models

from fsm_lifecycle import Event, State, System
from fsm_lifecycle.checks import model_defects
from fsm_lifecycle.definition import Table
from fsm_lifecycle.exceptions import UnknownEvent
from fsm_lifecycle.models import LifecycleModel
from tests.definition.declaring import declare, lifecycle
from tests.testapp.models import DisputedInvoice, Document, Door, Invoice, Light, Report, Treaty


def test_a_child_has_its_parents_states_and_events_and_its_own() -> None:
    assert [*DisputedInvoice.lifecycle.states] == [*Invoice.lifecycle.states, "disputed"]
    assert {*DisputedInvoice.lifecycle.events} == {*Invoice.lifecycle.events, "dispute", "settle"}


def test_a_parents_table_knows_nothing_of_its_child() -> None:
    assert "disputed" not in Invoice.lifecycle.states
    assert "dispute" not in Invoice.lifecycle.events
    assert not hasattr(Invoice, "dispute")
    assert Invoice.lifecycle.fingerprint != DisputedInvoice.lifecycle.fingerprint


def test_a_child_without_a_nested_class_has_its_parents_table() -> None:
    assert Report.lifecycle.fingerprint == Document.lifecycle.fingerprint


def test_a_state_declared_again_replaces_the_parents() -> None:
    class Parent:
        a = State("a", initial=True)
        b = State("b", terminal=True)
        go = Event(a, to=b)

    class Child(Parent):
        b = State("b", terminal=True, label="The end")

    found = Table(Child)
    assert found.states["b"].label == "The end"
    assert found.events["go"].to is Child.b
    assert Table(Parent).states["b"].label == "B"


def test_none_takes_a_member_away() -> None:
    class Child(Invoice.Lifecycle):
        remind = None  # type: ignore[assignment]

    assert "remind" not in Table(Child).events
    assert "remind" in Invoice.lifecycle.events


def test_members_may_come_from_several_parents() -> None:
    class States:
        a = State("a", initial=True)
        b = State("b", terminal=True)

    class Events:
        go = Event("a", to="b")

    class Both(States, Events):
        pass

    assert [row.event.name for row in Table(Both).transitions] == ["go"]


def test_a_state_is_shown_by_the_label_that_the_records_own_table_gives_it() -> None:
    refined = lifecycle(
        Invoice.Lifecycle,
        draft=State("draft", initial=True, label="Sketch"),
        in_court=State("in_court", label="Before the judge"),
        sue=Event("draft", to="in_court"),
    )
    child: Any = declare(refined, Invoice, name="Sued", meta={"proxy": True})
    assert child(state="draft").get_state_display() == "Sketch"
    assert child(state="in_court").get_state_display() == "Before the judge"
    parent: Any = Invoice(state="draft")
    assert parent.get_state_display() == "Draft"


@pytest.mark.django_db
def test_a_parents_event_object_works_on_a_child() -> None:
    invoice = DisputedInvoice.objects.create(amount=1, client_name="x")
    assert invoice.decide(Invoice.Lifecycle.send_invoice)
    entry = invoice.fire(Invoice.Lifecycle.cancel, actor=System("test"))
    assert entry.event == "cancel"


@pytest.mark.django_db
def test_an_extended_event_is_known_by_either_object() -> None:
    treaty = Treaty.objects.create(title="x")
    treaty.fire(Treaty.Lifecycle.sign, actor=System("test"))
    assert treaty.decide(Document.Lifecycle.finish)
    assert treaty.decide(Treaty.Lifecycle.finish)


@pytest.mark.django_db
def test_an_event_of_an_unrelated_lifecycle_is_unknown_even_under_a_name_that_exists() -> None:
    class Elsewhere:
        here = State("here", initial=True)
        cancel = Event(here, to=here)

    invoice = Invoice.objects.create()
    assert [d.code for d in invoice.decide(Elsewhere.cancel).denials] == ["unknown_event"]
    with pytest.raises(UnknownEvent, match="belongs to another lifecycle"):
        invoice.fire(Elsewhere.cancel, actor=System("test"))


@pytest.mark.django_db
def test_a_childs_event_object_is_unknown_to_the_parent() -> None:
    invoice = Invoice.objects.create()
    with pytest.raises(UnknownEvent):
        invoice.fire(DisputedInvoice.Lifecycle.dispute, actor=System("test"))


def test_a_proxy_and_a_multi_table_child_share_the_parents_columns_and_label() -> None:
    assert DisputedInvoice._lifecycle.label == Invoice._lifecycle.label == "testapp.invoice"
    assert Treaty._lifecycle.label == Report._lifecycle.label == Document._lifecycle.label
    own = {field.name for field in Treaty._meta.local_fields}
    assert not own & {"state", "state_since", "lifecycle_sequence", "lifecycle_head"}


def test_a_family_has_one_label_whatever_a_child_says() -> None:
    child = declare(
        lifecycle(Invoice.Lifecycle, label="testapp.other"), Invoice, name="Odd", meta={"proxy": True}
    )
    assert child._lifecycle.label == "testapp.invoice" or list(model_defects(child))


# --- abstract bases -----------------------------------------------------------------------------------------------


class Base(LifecycleModel):
    title = models.CharField(max_length=10)

    class Meta:
        abstract = True
        app_label = "testapp"
        ordering = ("title",)

    class Lifecycle:
        a = State("a", initial=True)
        b = State("b", terminal=True)
        go = Event(a, to=b)


def test_an_abstract_base_hands_its_table_down() -> None:
    first, second = declare(None, Base, name="First"), declare(None, Base, name="Second")
    assert first.lifecycle.fingerprint == second.lifecycle.fingerprint
    assert first._lifecycle.label == "testapp.first"
    assert second._lifecycle.label == "testapp.second"
    assert hasattr(first, "go")


def test_each_child_of_an_abstract_base_has_columns_of_its_own() -> None:
    first, second = declare(None, Base, name="First"), declare(None, Base, name="Second")
    ours, theirs = first._lifecycle.field, second._lifecycle.field
    assert ours is not theirs
    assert (ours.model, theirs.model) == (first, second)
    assert "state" not in [field.name for field in Base._meta.fields]


def test_a_child_refines_its_abstract_bases_table() -> None:
    class Refined(Base.Lifecycle):
        c = State("c", terminal=True)
        stop = Event(Base.Lifecycle.a, to=c)

    child = declare(Refined, Base, name="Refining")
    assert [*child.lifecycle.events] == ["go", "stop"]


def test_an_abstract_base_is_prepared_only_as_its_children() -> None:
    assert "lifecycle" not in vars(Base)
    assert not hasattr(Base, "go")


# --- another name of the column ------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_state_column_can_be_renamed() -> None:
    door = Door.objects.create(code="front")
    assert door.position == "closed"
    assert not hasattr(door, "state")
    door.fire("open_up", actor=System("test"))
    assert Door.objects.in_state("open").get().position == "open"
    assert Door.objects.filter(position="open").exists()
    assert door.is_open


@pytest.mark.django_db
def test_a_renamed_state_column_is_as_protected() -> None:
    door = Door.objects.create(code="back")
    with pytest.raises(AttributeError):
        door.position = "open"  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        Door.objects.update(position="open")


@pytest.mark.django_db
def test_lights_are_what_they_are_declared() -> None:
    light = Light.objects.create()
    assert light.is_off
    assert not light.is_on
