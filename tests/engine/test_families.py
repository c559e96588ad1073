"""Models that share a state column: abstract bases, multi-table children, proxies."""

from typing import Any

import pytest
from django.db import models
from django.test.utils import isolate_apps

from fsm_lifecycle import Event, InvalidTransition, State, UnknownEvent
from fsm_lifecycle.engine.families import children_with_own_table
from fsm_lifecycle.models import LifecycleModel, RefusedAttempt, TransitionLog
from tests.acting import ACTOR
from tests.testapp.models import DisputedInvoice, Document, Invoice, Report, Treaty
from tests.testapp.shapes import Lamp, Pump

pytestmark = pytest.mark.django_db


def test_an_abstract_base_brings_the_lifecycle_and_the_renamed_column() -> None:
    lamp: Any = Lamp.objects.create()
    lamp.switch_on(actor=ACTOR)
    assert lamp.phase == "on"
    assert lamp.is_on
    assert lamp.log.first().model_label == "testapp.lamp"
    assert Lamp.objects.in_state("on").get() == lamp


def test_a_child_of_an_abstract_base_refines_its_table() -> None:
    pump = Pump.objects.create()
    pump.fire("switch_on", actor=ACTOR)
    pump.fire("jam", actor=ACTOR)
    pump.fire(Pump.Lifecycle.free, actor=ACTOR)
    assert pump.phase == "off"
    assert "jam" not in Lamp.lifecycle.events
    assert Pump._meta.ordering == ["-litres"]
    assert any(index.fields == ["phase", "state_since"] for index in Pump._meta.indexes)


def test_events_of_an_abstract_bases_lifecycle_still_work() -> None:
    assert Pump.objects.create().fire(Pump.Lifecycle.switch_on, actor=ACTOR).event == "switch_on"
    from tests.testapp.shapes import Switched

    assert Lamp.objects.create().fire(Switched.Lifecycle.switch_on, actor=ACTOR)


def test_siblings_do_not_understand_each_others_events() -> None:
    with pytest.raises(UnknownEvent):
        Lamp.objects.create().fire(Pump.Lifecycle.jam, actor=ACTOR)


def test_members_are_resolved_by_name_so_that_a_parents_event_object_works() -> None:
    treaty = Treaty.objects.create(title="t")
    entry = treaty.fire(Document.Lifecycle.finish, actor=ACTOR)
    assert (entry.event, entry.to_state) == ("finish", "final")
    invoice = DisputedInvoice.objects.create(amount=1, client_name="Ann")
    assert invoice.fire(Invoice.Lifecycle.send_invoice, actor=ACTOR).event == "send_invoice"


def test_a_childs_event_is_unknown_to_the_parent() -> None:
    document = Document.objects.create(title="d")
    with pytest.raises(UnknownEvent):
        document.fire(Treaty.Lifecycle.sign, actor=ACTOR)
    with pytest.raises(UnknownEvent):
        document.fire("sign", actor=ACTOR)


def test_a_refined_event_has_the_parents_sources_and_its_own() -> None:
    treaty = Treaty.objects.create(title="t")
    treaty.fire("sign", actor=ACTOR)
    assert treaty.fire("finish", actor=ACTOR).from_state == "signed"


def test_a_family_shares_one_chain_and_one_label() -> None:
    report = Report.objects.create(title="r")
    as_parent = Document.objects.get(pk=report.pk)
    entry = as_parent.fire("finish", actor=ACTOR)
    assert entry.model_label == "testapp.document"
    assert list(report.log) == list(as_parent.log)
    assert len(report.log) == 2
    with pytest.raises(Exception, match="changed since"):
        report.fire("finish", actor=ACTOR)
    report.refresh_from_db()
    assert report.state == "final"


def test_firing_through_a_base_class_a_row_of_a_child_with_its_own_table_is_refused_naming_the_child() -> (
    None
):
    treaty = Treaty.objects.create(title="t")
    document = Document.objects.get(pk=treaty.pk)
    with pytest.raises(InvalidTransition, match="Treaty") as caught:
        document.fire("finish", actor=ACTOR)
    assert "Finish" in str(caught.value)
    assert caught.value.code == "wrong_state"
    assert RefusedAttempt.objects.get().code == "wrong_state"
    assert document.state == "draft"
    (result,) = Document.objects.all().fire("finish", actor=ACTOR).results
    assert not result.ok
    assert [d.code for d in result.denials] == ["wrong_state"]
    assert "Treaty" in result.denials[0].reason
    assert treaty.log.count() == 1


def test_a_row_of_the_base_class_itself_is_not_refused() -> None:
    Treaty.objects.create(title="t")
    document = Document.objects.create(title="d")
    assert document.fire("finish", actor=ACTOR).to_state == "final"


def test_the_parent_that_django_makes_from_a_child_can_be_fired() -> None:
    report = Report.objects.create(title="r")
    parent: Any = report.document_ptr
    assert parent.log.count() == 1
    assert parent.fire("finish", actor=ACTOR).to_state == "final"
    assert Report.objects.get().state == "final"


def test_a_proxy_adds_states_and_events_to_the_same_rows() -> None:
    invoice = DisputedInvoice.objects.create(amount=1, client_name="Ann")
    invoice.fire("send_invoice", actor=ACTOR)
    invoice.fire("dispute", actor=ACTOR)
    as_invoice = Invoice.objects.get(pk=invoice.pk)
    assert as_invoice.state == "disputed"
    with pytest.raises(InvalidTransition):
        as_invoice.fire("pay", actor=ACTOR, arguments={"paid_on": "2026-01-01"})
    assert as_invoice.available_events() == []
    invoice.fire("settle", actor=ACTOR)
    as_invoice.refresh_from_db()
    assert as_invoice.fire("cancel", actor=ACTOR).model_label == "testapp.invoice"
    assert set(TransitionLog.objects.values_list("model_label", flat=True)) == {"testapp.invoice"}


def test_every_entry_names_the_table_it_was_made_under() -> None:
    treaty, document = Treaty.objects.create(title="t"), Document.objects.create(title="d")
    assert treaty.log.get().definition == Treaty.lifecycle.fingerprint
    assert document.log.get().definition == Document.lifecycle.fingerprint
    assert Treaty.lifecycle.fingerprint != Document.lifecycle.fingerprint
    assert Report.lifecycle.fingerprint == Document.lifecycle.fingerprint


def test_a_childs_own_columns_are_saved_and_guarded_like_all_others() -> None:
    from fsm_lifecycle import UnsavedChanges

    treaty = Treaty.objects.create(title="t", parties=2)
    treaty.parties, treaty.title = 3, "u"
    with pytest.raises(UnsavedChanges) as caught:
        treaty.fire("sign", actor=ACTOR)
    assert set(caught.value.fields) == {"parties", "title"}
    treaty.save()
    treaty.fire("sign", actor=ACTOR)
    fresh = Treaty.objects.get()
    assert (fresh.state, fresh.title, fresh.parties) == ("signed", "u", 3)


def test_a_childs_snapshot_holds_its_own_columns_and_its_parents() -> None:
    entry = Treaty.objects.create(title="t", parties=5).fire("sign", actor=ACTOR, snapshot=True)
    assert entry.snapshot is not None
    assert (entry.snapshot["title"], entry.snapshot["parties"]) == ("t", 5)


@pytest.mark.parametrize("model", [Report, Treaty])
@pytest.mark.parametrize("method", ["only", "defer"])
@pytest.mark.parametrize("fields", [["title"], ["state"], ["id"], ["title", "state", "lifecycle_head"]])
def test_children_with_deferred_fields_fire_as_well(model: Any, method: str, fields: list[str]) -> None:
    model.objects.create(title="t")
    record = getattr(model.objects, method)(*fields).get()
    assert record.fire("finish", actor=ACTOR).sequence == 2
    assert (record.state, record.title) == ("final", "t")
    assert model.objects.get().state == "final"


def test_many_children_are_fired_through_their_own_class() -> None:
    for n in range(3):
        Report.objects.create(title=str(n))
    assert Report.objects.all().fire("finish", actor=ACTOR).succeeded == 3
    assert Document.objects.in_state("final").count() == 3


@isolate_apps("tests.testapp")
def test_a_child_behind_an_abstract_class_or_a_proxy_is_a_child() -> None:
    class Base(LifecycleModel):
        class Meta:
            app_label = "testapp"

        class Lifecycle:
            a = State("a", initial=True)
            b = State("b", terminal=True)
            go = Event(a, to=b)

    class Aside(Base):
        class Meta:
            app_label = "testapp"
            abstract = True

    class Behind(Aside):
        class Meta:
            app_label = "testapp"

        class Lifecycle(Base.Lifecycle):
            more = Event(Base.Lifecycle.a, to=Base.Lifecycle.b)

    class Stand(Base):
        class Meta:
            app_label = "testapp"
            proxy = True

        class Lifecycle(Base.Lifecycle):
            other = Event(Base.Lifecycle.a, to=Base.Lifecycle.b)

    class BehindStand(Stand):
        extra = models.IntegerField(default=0)

        class Meta:
            app_label = "testapp"

    assert children_with_own_table(Base._lifecycle) == [Behind, BehindStand]
    assert children_with_own_table(Stand._lifecycle) == []
    assert children_with_own_table(Behind._lifecycle) == []
