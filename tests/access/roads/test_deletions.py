"""Who and what is deleted loses its grants, each with an event; a key that is used again inherits nothing."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.contrib.contenttypes.models import ContentType
from django.db import connection, models
from django.db.models.deletion import Collector
from django.test import Client
from guardian.shortcuts import assign_perm

from fsm_lifecycle import System, acting_as
from fsm_lifecycle.access import grant_role, roles_of, who_can
from fsm_lifecycle.models import AccessEvent
from tests.access.roads.stored import again, permission, reconcile, role_group, stored, watching
from tests.acting import rolled_back
from tests.testapp.models import Bell, Contract, Order
from tests.testapp.offices import Binder, Claim, Dossier, Plate, UrgentClaim

pytestmark = pytest.mark.django_db

SYSTEM = System("tests")
KEY = uuid.UUID("0e6f1b1c-6b0a-4d6e-9a6b-3b1f0d8c2a11")

#: A model of each kind of key, with the key that is used twice.
RECORDS: list[tuple[Any, Any, str]] = [
    (Claim, 9001, "approver"),
    (Dossier, KEY, "approver"),
    (Plate, "HH-é 42/'%_", "approver"),
    (Binder, 9001, "clerk"),
]


def create(model: Any, key: Any) -> Any:
    with acting_as(SYSTEM):
        return model.objects.create(pk=key)


def empty(user: User, record: Any) -> None:
    """The user holds nothing there."""
    assert roles_of(again(user), on=record) == set()
    assert not list(type(record).objects.visible_to(again(user)))
    assert not [p for p in again(user).get_all_permissions(record) if "role_" in p]


def endow(record: Any, role: str, ada: User, finance: Group) -> None:
    """A role, an event and reading; by a user and a group."""
    label = type(record)._meta.model_name
    grant_role(ada, role, on=record, by=SYSTEM)
    grant_role(finance, role, on=record, by=SYSTEM)
    assign_perm("fire_reopen", ada, record)
    assign_perm(f"view_{label}", finance, record)


# --- records ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("model", "key", "role"), RECORDS)
@pytest.mark.parametrize("how", ["record", "queryset", "plain manager"])
def test_a_key_that_is_used_again_inherits_nothing(
    ada: User, bob: User, finance: Group, model: Any, key: Any, role: str, how: str
) -> None:
    record = create(model, key)
    bob.groups.add(finance)
    endow(record, role, ada, finance)
    with watching() as seen, acting_as(bob):
        if how == "record":
            record.delete()
        elif how == "queryset":
            model.objects.filter(pk=key).delete()
        else:
            model._base_manager.filter(pk=key).delete()
    seen.agree(of=4)
    told = {(e.action, e.road, e.actor_id, e.model_label, e.object_pk) for e in seen.events}
    assert told == {("revoked", "deletion", str(bob.pk), model._meta.label_lower, str(key))}
    twin = create(model, key)
    empty(ada, twin)
    empty(bob, twin)


def test_a_record_without_grants_is_deleted_without_events(claim: Claim) -> None:
    with watching() as seen:
        claim.delete()
    seen.agree(of=0)


def test_only_the_deleted_records_grants_go(ada: User) -> None:
    ten, hundred, plate = create(Claim, 9010), create(Claim, 90100), create(Plate, "9010")
    binder = create(Binder, 9010)
    for record in (ten, hundred, plate):
        grant_role(ada, "approver", on=record, by=SYSTEM)
    grant_role(ada, "clerk", on=binder, by=SYSTEM)
    grant_role(ada, "auditor", on=Claim, by=SYSTEM)
    ten.delete()
    assert roles_of(again(ada), on=hundred) == {"approver", "auditor"}
    assert roles_of(again(ada), on=plate) == {"approver"}
    assert roles_of(again(ada), on=binder) == {"clerk"}
    assert roles_of(again(ada), on=Claim) == {"auditor"}


def test_deleting_through_a_proxy(ada: User) -> None:
    claim = create(Claim, 9001)
    grant_role(ada, "approver", on=claim, by=SYSTEM)
    with watching() as seen:
        UrgentClaim.objects.get(pk=9001).delete()
    seen.agree(of=1)
    empty(ada, create(UrgentClaim, 9001))


def test_a_term_dies_with_its_record(ada: User) -> None:
    from datetime import timedelta

    from django.utils import timezone

    from fsm_lifecycle.models import GrantTerm

    claim = create(Claim, 9001)
    grant_role(ada, "approver", on=claim, by=SYSTEM, until=timezone.now() + timedelta(days=1))
    claim.delete()
    assert not GrantTerm.objects.exists()


@pytest.mark.parametrize("how", ["parent", "parents"])
def test_a_cascade_takes_the_grants_of_the_records_it_takes(ada: User, how: str) -> None:
    with acting_as(SYSTEM):
        contract = Contract.objects.create()
        order = Order.objects.create(contract=contract)
    assign_perm("fire_place", ada, order)
    assign_perm("view_contract", ada, contract)
    with watching() as seen:
        if how == "parent":
            contract.delete()
        else:
            Contract.objects.filter(pk=contract.pk).delete()
    seen.agree(of=2)
    assert {event.road for event in seen.events} == {"deletion"}


def test_a_cascade_of_records_onto_records_of_the_same_kind(ada: User) -> None:
    with acting_as(SYSTEM):
        first = Bell.objects.create()
        second = Bell.objects.create(next_bell=first)
    assign_perm("fire_ring", ada, second)
    with watching() as seen:
        first.delete()
    seen.agree(of=1)


def test_a_deletion_that_is_rolled_back_keeps_the_grants(ada: User, finance: Group) -> None:
    claim = create(Claim, 9001)
    endow(claim, "approver", ada, finance)
    with watching() as seen, rolled_back():
        claim.delete()
    seen.agree(of=0)
    assert roles_of(again(ada), on=Claim.objects.get(pk=9001)) == {"approver"}


@pytest.mark.parametrize(("model", "key", "role"), [RECORDS[0], RECORDS[2]])
def test_grants_left_by_a_deletion_in_sql_are_found(ada: User, model: Any, key: Any, role: str) -> None:
    record = create(model, key)
    grant_role(ada, role, on=record, by=SYSTEM)
    with connection.cursor() as cursor:
        table = connection.ops.quote_name(model._meta.db_table)
        column = connection.ops.quote_name(model._meta.pk.column)
        cursor.execute(f"DELETE FROM {table} WHERE {column} = %s", [key])
    with watching() as seen:
        reconcile()
    seen.agree(of=1)
    empty(ada, create(model, key))


# --- users --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["user", "queryset"])
def test_a_deleted_user_loses_everything_one_by_one(
    ada: User, bob: User, finance: Group, claim: Claim, how: str
) -> None:
    binder, plate = create(Binder, 1), create(Plate, "a")
    ada.groups.set([finance, role_group("approver")])
    ada.user_permissions.add(permission("fire_approve"))
    grant_role(ada, "auditor", on=claim, by=SYSTEM)
    grant_role(ada, "approver", on=plate, by=SYSTEM)
    grant_role(ada, "clerk", on=binder, by=SYSTEM)
    bob.groups.add(finance)
    key, label = str(ada.pk), str(ada)
    with watching() as seen, acting_as(bob):
        if how == "user":
            ada.delete()
        else:
            User.objects.filter(pk=ada.pk).delete()
    seen.agree(of=6)
    told = {(e.action, e.road, str(e.holder_id), e.holder_label, e.actor_id) for e in seen.events}
    assert told == {("revoked", "deletion", key, label, str(bob.pk))}
    assert len([event for event in seen.events if event.group_id]) == 2


@pytest.mark.parametrize("how", ["user", "queryset", "admin"])
def test_a_user_whose_records_go_as_well_loses_each_grant_on_them_once(
    ada: User,
    bob: User,
    finance: Group,
    claim: Claim,
    monkeypatch: pytest.MonkeyPatch,
    admin_client: Client,
    how: str,
) -> None:
    monkeypatch.setattr(Claim._meta.get_field("created_by").remote_field, "on_delete", models.CASCADE)
    other = create(Claim, claim.pk + 1)
    Claim.objects.filter(pk=claim.pk).update(created_by=ada)
    for holder in (ada, bob, finance):
        grant_role(holder, "auditor", on=claim, by=SYSTEM)
    grant_role(ada, "auditor", on=other, by=SYSTEM)
    with watching() as seen:
        if how == "user":
            ada.delete()
        elif how == "queryset":
            User.objects.filter(pk=ada.pk).delete()
        else:
            chosen = {"action": "delete_selected", "_selected_action": [ada.pk], "post": "yes"}
            admin_client.post("/admin/auth/user/", chosen)
    assert not Claim.objects.filter(pk=claim.pk).exists()
    seen.agree(of=4)
    assert {(event.action, event.road) for event in seen.events} == {("revoked", "deletion")}


def test_several_users_at_once(ada: User, bob: User, finance: Group) -> None:
    finance.user_set.set([ada, bob])
    ada.user_permissions.add(permission("role_auditor"))
    with watching() as seen:
        User.objects.filter(username__in=["ada", "bob"]).delete()
    seen.agree(of=3)


def test_a_user_who_deletes_himself_is_named(ada: User, finance: Group) -> None:
    ada.groups.add(finance)
    key = str(ada.pk)
    with watching() as seen, acting_as(ada):
        ada.delete()
    assert (seen.event.actor_id, str(seen.event.holder_id)) == (key, key)


def test_a_user_without_grants_leaves_no_events(ada: User) -> None:
    with watching() as seen:
        ada.delete()
    seen.agree(of=0)


def test_the_events_outlive_the_user(ada: User, claim: Claim) -> None:
    grant_role(ada, "approver", on=claim, by=SYSTEM)
    key = str(ada.pk)
    ada.delete()
    assert [
        e.action for e in AccessEvent.objects.filter(holder_kind="user", holder_id=key).order_by("pk")
    ] == [
        "granted",
        "revoked",
    ]


# --- groups -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["group", "queryset"])
def test_a_deleted_group_takes_memberships_permissions_and_records(
    ada: User, bob: User, finance: Group, claim: Claim, how: str
) -> None:
    binder = create(Binder, 1)
    finance.user_set.set([ada, bob])
    finance.permissions.add(permission("role_approver"), permission("view_dossier", Dossier))
    grant_role(finance, "auditor", on=claim, by=SYSTEM)
    grant_role(finance, "clerk", on=binder, by=SYSTEM)
    with watching() as seen:
        if how == "group":
            finance.delete()
        else:
            Group.objects.filter(pk=finance.pk).delete()
    seen.agree(of=6)
    assert {(event.action, event.road) for event in seen.events} == {("revoked", "deletion")}
    memberships = [event for event in seen.events if event.holder_kind == "user"]
    assert {str(event.holder_id) for event in memberships} == {str(ada.pk), str(bob.pk)}
    assert {event.group_label for event in memberships} == {"Finance"}
    assert not roles_of(again(ada), on=Claim)


def test_a_group_that_goes_with_its_records_loses_each_grant_on_them_once(
    ada: User, finance: Group, claim: Claim
) -> None:
    grant_role(finance, "auditor", on=claim, by=SYSTEM)
    grant_role(ada, "auditor", on=claim, by=SYSTEM)
    deletion = Collector("default", origin=finance)
    deletion.collect([finance])
    deletion.collect([claim])  # what a foreign key to the group would do
    with watching() as seen:
        deletion.delete()
    seen.agree(of=2)


def test_a_deletion_that_failed_tells_of_everything_when_it_is_made_again(
    ada: User, claim: Claim, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Claim._meta.get_field("created_by").remote_field, "on_delete", models.CASCADE)
    Claim.objects.filter(pk=claim.pk).update(created_by=ada)
    grant_role(ada, "auditor", on=claim, by=SYSTEM)
    adas = User.objects.filter(pk=ada.pk)
    with watching() as seen:
        with rolled_back():
            adas.delete()
        Claim.objects.filter(pk=claim.pk).update(created_by=None)
        adas.delete()
    seen.agree(of=1)


def test_a_deleted_role_group_tells_of_every_membership(ada: User, bob: User) -> None:
    group = role_group("approver")
    group.user_set.set([ada, bob])
    assert ada in who_can("approve", on=Claim)
    with watching() as seen:
        group.delete()
    lost = [event for event in seen.events if event.group_id]
    assert {str(event.holder_id) for event in lost} == {str(ada.pk), str(bob.pk)}
    assert len(lost) == 2
    assert ada not in who_can("approve", on=Claim)


def test_a_role_group_that_loses_its_permission_takes_the_role_from_its_members(ada: User) -> None:
    group = role_group("approver")
    group.user_set.add(ada)
    with watching() as seen:
        group.permissions.remove(permission("role_approver"))
    assert [(e.action, e.holder_kind, str(e.holder_id), e.role) for e in seen.events] == [
        ("revoked", "group", str(group.pk), "approver")
    ]
    assert roles_of(again(ada), on=Claim) == set()


# --- permissions --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["permission", "queryset"])
def test_a_deleted_permission_is_lost_by_all_who_held_it(
    ada: User, finance: Group, claim: Claim, how: str
) -> None:
    extra = Permission.objects.create(
        content_type=ContentType.objects.get_for_model(Claim), codename="role_extra", name="Extra"
    )
    ada.user_permissions.add(extra)
    finance.permissions.add(extra)
    assign_perm("role_extra", ada, claim)
    assign_perm("role_extra", finance, claim)
    assert sum(grant.permission == "role_extra" for grant in stored()) == 4
    with watching() as seen:
        if how == "permission":
            extra.delete()
        else:
            Permission.objects.filter(codename="role_extra").delete()
    seen.agree(of=4)
    assert {(event.action, event.road) for event in seen.events} == {("revoked", "deletion")}


def test_a_deleted_permission_of_a_model_with_direct_foreign_keys(ada: User) -> None:
    binder = create(Binder, 1)
    grant_role(ada, "clerk", on=binder, by=SYSTEM)
    with watching() as seen:
        permission("role_clerk", Binder).delete()
    assert [str(e.holder_id) for e in seen.events if e.object_pk] == [str(ada.pk)]
