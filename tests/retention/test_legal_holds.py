"""A held record stays, by whatever road it is to go, until the hold is released; and what was done is on record."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import DatabaseError, connection, transaction

from fsm_lifecycle import ActorRequired, StaleState
from fsm_lifecycle.access.current import acting_as
from fsm_lifecycle.access.person import person_of
from fsm_lifecycle.append_only import ImmutableEntry
from fsm_lifecycle.engine.erasure import Erasure
from fsm_lifecycle.engine.legal_hold import place_hold, release_hold, with_ends
from fsm_lifecycle.engine.purging import before_purge, purge
from fsm_lifecycle.exceptions import InvalidHold, UnderLegalHold
from fsm_lifecycle.models import HoldRelease, LegalHold
from tests.acting import ACTOR
from tests.testapp.models import Bell, Contract, Document, Door, Invoice, Light, Order, Parcel, Report, Treaty

pytestmark = pytest.mark.django_db

WHY = "ten years"


def held(record: Any, reason: str = "dispute") -> Any:
    place_hold(record, reason=reason, by=ACTOR)
    return record


@pytest.mark.parametrize(
    "place",
    [
        lambda record, reason, by: place_hold(record, reason=reason, by=by),
        lambda record, reason, by: LegalHold.place(record, reason, by),
        lambda record, reason, by: LegalHold.objects.place(record, reason=reason, by=by),
    ],
)
def test_a_hold_says_what_why_and_who(user: User, place: Any) -> None:
    invoice = Invoice.objects.create(client_name="Ada")
    hold = place(invoice, " dispute 4711 ", user)
    hold = LegalHold.objects.get(pk=hold.pk)
    assert (hold.model_label, hold.object_pk) == ("testapp.invoice", str(invoice.pk))
    assert (hold.record_name, hold.reason, hold.placed_by) == (str(invoice), "dispute 4711", str(user))
    assert (hold.actor_kind, hold.actor_id) == ("user", str(user.pk))
    assert hold.is_active
    assert hold.released_at is None
    assert str(hold) == f"{invoice}: dispute 4711"


def test_by_default_the_current_actor_places_and_releases(user: User) -> None:
    with acting_as(user):
        hold = place_hold(Light.objects.create(), reason="dispute")
        end = hold.release("settled")
    assert hold.actor_id == end.actor_id == str(user.pk)


@pytest.mark.parametrize(
    "record",
    [
        lambda: Light.objects.create(),
        lambda: Parcel.objects.create(),
        lambda: Door.objects.create(code="a 1"),
        lambda: Report.objects.create(title="t"),
        lambda: Treaty.objects.create(title="t"),
    ],
)
@pytest.mark.parametrize("road", ["purge", "delete", "queryset", "parent"])
def test_a_held_record_stays(record: Any, road: str) -> None:
    row = held(record())
    base: Any = Document if isinstance(row, Document) and road == "parent" else type(row)
    copy = base.objects.get(pk=row.pk)
    go = {
        "purge": lambda: purge(copy, reason=WHY, by=ACTOR),
        "queryset": base.objects.all().delete,
    }
    with pytest.raises(UnderLegalHold) as caught, transaction.atomic():
        go.get(road, copy.delete)()
    assert [e.kind for e in row.log] == ["created"]
    assert type(row).objects.get() == row
    assert caught.value.code == "legal_hold"
    assert [hold.object_pk for hold in caught.value.holds] == [str(row.pk)]
    assert f"Nothing was {'purged' if road == 'purge' else 'deleted'}" in str(caught.value)


def test_the_refusal_names_record_who_and_why(user: User) -> None:
    light = Light.objects.create()
    place_hold(light, reason="dispute 4711", by=user)
    place_hold(light, reason="audit", by=ACTOR)
    with pytest.raises(UnderLegalHold) as caught, transaction.atomic():
        light.delete()
    message = str(caught.value)
    assert message.startswith(f"Light {light.pk} is under a legal hold, placed by {user} on 20")
    assert "“dispute 4711”. There is 1 more. Nothing was deleted. Release the hold first." in message


def test_an_open_transaction_goes_on_after_the_refusal() -> None:
    light = held(Light.objects.create())
    with transaction.atomic():
        for remove in (light.delete, lambda: light.delete("default"), Light.objects.all().delete):
            with pytest.raises(UnderLegalHold):
                remove()
        other = Light.objects.create()
    assert set(Light.objects.all()) == {light, other}
    other.delete()
    assert Light.objects.get() == light


def test_every_hold_has_to_be_released() -> None:
    light = Light.objects.create()
    first, second = (place_hold(light, reason=why, by=ACTOR) for why in ("dispute", "audit"))
    release_hold(first, reason="settled", by=ACTOR)
    with pytest.raises(UnderLegalHold, match="audit"):
        purge(light, reason=WHY, by=ACTOR)
    second.release("done", by=ACTOR)
    purge(light, reason=WHY, by=ACTOR)
    assert not Light.objects.exists()


def test_what_depends_on_the_record_is_kept_by_its_own_hold() -> None:
    contract = Contract.objects.create()
    order = held(Order.objects.create(contract=contract))
    for remove in (contract.delete, lambda: purge(contract, reason=WHY, by=ACTOR)):
        with pytest.raises(UnderLegalHold, match=f"Order {order.pk} "), transaction.atomic():
            remove()
    assert Contract.objects.get() == contract


def test_a_child_cannot_be_cut_off_its_held_parent() -> None:
    report = held(Report.objects.create(title="t", pages=3))
    with pytest.raises(UnderLegalHold), transaction.atomic():
        report.delete(keep_parents=True)
    assert Report.objects.get().pages == 3


def test_a_held_record_goes_on_otherwise() -> None:
    bell = held(Bell.objects.create())
    bell.fire("ring", actor=ACTOR)
    bell.note = "edited"
    bell.save()
    assert Bell.objects.get().note == "edited"


def test_no_other_objection_takes_its_place() -> None:
    light = held(Light.objects.create())
    take_back = before_purge("legal holds", lambda row, using: None)
    try:
        with pytest.raises(UnderLegalHold):
            purge(light, reason=WHY, by=ACTOR)
    finally:
        take_back()
        from fsm_lifecycle.engine import legal_hold

        before_purge("legal holds", legal_hold._object)
    assert Light.objects.get() == light


@pytest.mark.once
def test_holds_are_heeded_as_soon_as_the_apps_are_loaded() -> None:
    code = (
        "import django; django.setup(); from fsm_lifecycle.engine import purging; "
        "assert 'legal holds' in purging._objections"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_hold_is_released_once(user: User) -> None:
    hold = place_hold(Light.objects.create(), reason="dispute", by=ACTOR)
    copy = LegalHold.objects.get()
    assert copy.is_active  # what it knows now is old in a moment
    end = release_hold(hold, reason="settled", by=user)
    assert hold.ended == end == HoldRelease.objects.get()
    for one in (hold, copy):
        with pytest.raises(InvalidHold, match=f"released already by {user} on 20"):
            one.release("again", by=ACTOR)
    assert copy.ended == end
    assert hold.released_at == end.released_at
    assert HoldRelease.objects.count() == 1


def test_reason_actor_and_record_are_needed() -> None:
    light = Light.objects.create()
    for reason in ("", "  ", None, "a\x00b"):
        with pytest.raises(InvalidHold):
            place_hold(light, reason=reason, by=ACTOR)  # type: ignore[arg-type]
    with pytest.raises(ActorRequired):
        place_hold(light, reason="dispute")
    with pytest.raises(StaleState, match="no hold can be placed"):
        place_hold(Light(), reason="dispute", by=ACTOR)
    with pytest.raises(TypeError, match="no lifecycle"):
        place_hold(User.objects.create_user("bob"), reason="dispute", by=ACTOR)
    copy = Light.objects.get()
    light.delete()
    with pytest.raises(StaleState, match="no hold can be placed"):
        place_hold(copy, reason="dispute", by=ACTOR)
    assert not LegalHold.objects.exists()
    with pytest.raises(InvalidHold, match="never placed"):
        LegalHold(reason="x").release("y", by=ACTOR)


def test_queries_tell_holds_in_force_from_others() -> None:
    light, other = Light.objects.create(), Light.objects.create()
    first, second = (place_hold(light, reason=why, by=ACTOR) for why in ("a", "b"))
    third = place_hold(other, reason="c", by=ACTOR)
    first.release("over", by=ACTOR)
    assert set(LegalHold.objects.active()) == {second, third}
    assert list(LegalHold.objects.released()) == [first]
    assert list(LegalHold.objects.for_record(light)) == [first, second]
    assert list(LegalHold.objects.for_model(Light).recent()) == [third, second, first]
    assert list(LegalHold.objects.recent().before(second.placed_at, second.pk)) == [first]
    assert not LegalHold.objects.for_model(Order)
    assert not LegalHold.objects.for_record(Light())
    read = {hold.pk: hold for hold in with_ends(LegalHold.objects.all())}
    assert [read[h.pk].is_active for h in (first, second, third)] == [False, True, True]


@pytest.mark.parametrize("model", [LegalHold, HoldRelease])
def test_holds_are_only_ever_added(model: Any) -> None:
    place_hold(Light.objects.create(), reason="dispute", by=ACTOR).release("settled", by=ACTOR)
    row = model.objects.get()
    for change in (row.save, row.delete, model.objects.all().delete):
        with pytest.raises(ImmutableEntry):
            change()
    with pytest.raises(ImmutableEntry):
        model.objects.update(reason="x")
    for sql in ("UPDATE {} SET reason = 'x'", "DELETE FROM {}"):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql.format(model._meta.db_table))
    assert model.objects.get().reason == row.reason


def test_a_purge_erases_what_holds_say_of_the_record() -> None:
    invoice = Invoice.objects.create(client_name="Ada Zyx")
    place_hold(invoice, reason="dispute with Ada Zyx", by=ACTOR).release("Ada Zyx gave in", by=ACTOR)
    name, pk = str(invoice), invoice.pk
    assert LegalHold.objects.get().record_name == name
    purge(invoice, reason=WHY, by=ACTOR)
    hold, end = LegalHold.objects.get(), HoldRelease.objects.get()
    assert (hold.record_label, hold.reason, hold.actor_label) == ("", "", "")
    assert (end.reason, end.actor_label) == ("", "")
    assert (hold.record_name, hold.placed_by) == (f"testapp.invoice:{pk}", "system tests")
    assert end.released_by == "system tests"


def test_of_a_hold_in_force_only_the_name_of_the_record_is_erased_with_it() -> None:
    invoice = Invoice.objects.create(client_name="Ada Zyx")
    place_hold(invoice, reason="dispute", by=ACTOR)
    Erasure(reason="asked for", by=ACTOR).of_record("testapp.invoice", str(invoice.pk))
    hold = LegalHold.objects.get()
    assert (hold.record_label, hold.reason, hold.actor_label) == ("", "dispute", "tests")
    with pytest.raises(UnderLegalHold), transaction.atomic():
        invoice.delete()


def test_a_person_is_forgotten_by_holds_too() -> None:
    anna, bob = (User.objects.create_user(name) for name in ("zyxanna", "zyxbob"))
    light = Light.objects.create()
    first = place_hold(light, reason="zyxanna sued", by=bob)
    first.release("zyxanna gave in", by=anna)
    second = place_hold(light, reason="audit", by=anna)
    Erasure(reason="asked for", by=ACTOR).of_person(person_of(anna))
    hold, end = LegalHold.objects.get(pk=first.pk), HoldRelease.objects.get()
    assert (hold.reason, hold.actor_label) == ("", "zyxbob")
    assert (end.reason, end.actor_label) == ("", "")
    hold = LegalHold.objects.get(pk=second.pk)
    assert (hold.reason, hold.actor_label, hold.actor_id) == ("audit", "", str(anna.pk))
    with pytest.raises(UnderLegalHold, match=f"placed by user {anna.pk} on"), transaction.atomic():
        light.delete()


@pytest.mark.once
def test_the_permission_is_there() -> None:
    found = set(
        Permission.objects.filter(content_type__model__in=["legalhold", "holdrelease"]).values_list(
            "codename"
        )
    )
    assert found == {("purge_records",), ("view_legalhold",)}
