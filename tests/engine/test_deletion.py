"""Deleting a record writes the last entry of its log, which outlives it."""

from typing import Any

import pytest
from django.contrib.auth.models import User

from fsm_lifecycle import StaleState, acting_as
from fsm_lifecycle.models import TransitionLog
from tests.acting import ACTOR, rolled_back
from tests.testapp.models import (
    Contract,
    DisputedInvoice,
    Document,
    Door,
    Invoice,
    Light,
    Order,
    Report,
    Treaty,
)

pytestmark = pytest.mark.django_db


def last_of(model: Any, pk: Any) -> TransitionLog:
    return TransitionLog.objects.filter(model_label=model._lifecycle.label, object_pk=str(pk)).latest(
        "sequence"
    )


def test_the_last_entry_leads_to_nothing(user: User) -> None:
    light = Light.objects.create()
    moved = light.fire("switch_on", actor=ACTOR)
    pk = light.pk
    with acting_as(user):
        light.delete()
    entry = last_of(Light, pk)
    assert (entry.kind, entry.event, entry.from_state, entry.to_state) == ("deleted", None, "on", None)
    assert (entry.sequence, entry.prev_hash) == (3, moved.entry_hash)
    assert (entry.actor_kind, entry.actor_id) == ("user", str(user.pk))
    assert not Light.objects.exists()


def test_deleting_needs_no_actor() -> None:
    light = Light.objects.create()
    pk = light.pk
    light.delete()
    assert last_of(Light, pk).actor_kind == "unknown"


def test_a_queryset_deletes_with_an_entry_for_each() -> None:
    for _ in range(3):
        Light.objects.create()
    Light.objects.all().delete()
    assert TransitionLog.objects.filter(kind="deleted").count() == 3


def test_a_plain_manager_deletes_with_an_entry_for_each() -> None:
    Light.objects.create()
    Light._base_manager.all().delete()
    assert TransitionLog.objects.filter(kind="deleted").count() == 1


def test_a_cascade_writes_entries_too() -> None:
    contract = Contract.objects.create()
    order = Order.objects.create(contract=contract)
    order_pk = order.pk
    contract.delete()
    assert last_of(Order, order_pk).kind == "deleted"
    assert TransitionLog.objects.filter(kind="deleted").count() == 2


def test_a_cascade_from_a_model_without_a_lifecycle_writes_entries_too() -> None:
    user = User.objects.create_user("bob")
    invoice = Invoice.objects.create(created_by=user)
    user.delete()
    invoice.refresh_from_db()
    assert invoice.created_by is None
    assert invoice.log.count() == 1


def test_a_stale_copy_deletes_what_is_there_now() -> None:
    light = Light.objects.create()
    stale = Light.objects.get(pk=light.pk)
    light.fire("switch_on", actor=ACTOR)
    pk = stale.pk
    stale.delete()
    entry = last_of(Light, pk)
    assert (entry.kind, entry.from_state, entry.sequence) == ("deleted", "on", 3)


def test_a_deletion_that_is_rolled_back_leaves_no_entry() -> None:
    light = Light.objects.create()
    with rolled_back():
        light.delete()
    assert last_of(Light, Light.objects.get().pk).kind == "created"


def test_deleting_twice_writes_one_entry() -> None:
    light = Light.objects.create()
    copy = Light.objects.get(pk=light.pk)
    light.delete()
    copy.delete()
    assert TransitionLog.objects.filter(kind="deleted").count() == 1


@pytest.mark.parametrize("as_parent", [True, False])
@pytest.mark.parametrize("model", [Report, Treaty])
def test_a_child_is_deleted_once_however_it_was_loaded(model: Any, as_parent: bool) -> None:
    pk = model.objects.create(title="t").pk
    (Document if as_parent else model).objects.get(pk=pk).delete()
    (entry,) = TransitionLog.objects.filter(kind="deleted")
    assert (entry.model_label, entry.object_pk, entry.sequence) == ("testapp.document", str(pk), 2)
    assert not Document.objects.exists()


def test_keeping_the_parents_is_no_deletion_of_the_record() -> None:
    report = Report.objects.create(title="t")
    report.delete(keep_parents=True)
    assert Document.objects.get().log.count() == 1


def test_a_proxy_is_deleted_once() -> None:
    pk = DisputedInvoice.objects.create().pk
    DisputedInvoice.objects.get().delete()
    assert last_of(Invoice, pk).kind == "deleted"
    DisputedInvoice.objects.create()
    DisputedInvoice.objects.all().delete()
    assert TransitionLog.objects.filter(kind="deleted").count() == 2


def test_a_record_that_is_gone_cannot_be_fired() -> None:
    light = Light.objects.create()
    copy = Light.objects.get(pk=light.pk)
    light.delete()
    with pytest.raises(StaleState, match="no longer"):
        copy.fire("switch_on", actor=ACTOR)


def test_the_log_can_be_read_by_the_key_after_the_record_is_gone() -> None:
    door = Door.objects.create(code="a")
    copy = Door.objects.get()
    door.delete()
    assert [e.kind for e in copy.log] == ["created", "deleted"]
    assert copy.state_at(1) == "closed"
    assert copy.state_at(2) is None
