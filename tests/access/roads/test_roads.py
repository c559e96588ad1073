"""Whatever the road by which a grant comes or goes, it ends in exactly one access event."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.utils import timezone

from fsm_lifecycle import System, acting_as
from fsm_lifecycle.append_only import milliseconds
from fsm_lifecycle.models import AccessEvent
from tests.access.roads.stored import last, permission, reconcile, role_group, watching
from tests.access.roads.ways import AT_ONCE, WAYS, Cast
from tests.acting import rolled_back
from tests.testapp.offices import Binder, Claim, Dossier, Plate

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast(ada: User, bob: User, finance: Group, claim: Claim) -> Cast:
    """One record of each kind."""
    with acting_as(System("tests")):
        return Cast(
            ada,
            bob,
            finance,
            claim,
            Dossier.objects.create(),
            Plate.objects.create(code="HH-é 42/'%"),
            Binder.objects.create(title="Blue"),
        )


@pytest.fixture(params=WAYS)
def name(request: Any) -> str:
    return str(request.param)


def test_one_event_there_and_one_back_and_nothing_left_to_find(cast: Cast, name: str) -> None:
    way = WAYS[name]
    for act, late, action in ((way.give, way.late[0], "granted"), (way.take, way.late[1], "revoked")):
        with watching() as seen:
            act(cast)
            if late:
                reconcile()
        seen.agree(of=way.changes)
        assert {event.action for event in seen.events} == {action}
        if not late:
            assert {event.road for event in seen.events} == {way.road}
        newest = last()
        reconcile()
        assert last() == newest


@pytest.mark.parametrize("name", AT_ONCE)
def test_no_event_where_nothing_changes(cast: Cast, name: str) -> None:
    way = WAYS[name]
    way.give(cast)
    if "one by one" not in name and "a queryset" not in name:
        with watching() as seen:
            way.give(cast)
        assert seen.events == []
    way.take(cast)
    if "one by one" not in name:
        with watching() as seen:
            way.take(cast)
        assert seen.events == []


@pytest.mark.parametrize("name", AT_ONCE)
def test_a_rollback_takes_grant_and_event_together(cast: Cast, name: str) -> None:
    way = WAYS[name]
    for act in (way.give, way.take):
        with watching() as seen, rolled_back():
            act(cast)
        seen.agree(of=0)
        act(cast)


@pytest.mark.parametrize("name", [name for name in AT_ONCE if WAYS[name].road != "api"])
def test_who_did_it_is_the_current_actor(cast: Cast, root: User, name: str) -> None:
    way = WAYS[name]
    for act, actor, known in (
        (way.give, root, ("user", str(root.pk), str(root))),
        (way.take, System("clean up"), ("system", "clean up", "clean up")),
    ):
        with watching() as seen, acting_as(actor):
            act(cast)
        told = {(event.actor_kind, event.actor_id, event.actor_label) for event in seen.events}
        assert told == {known}


def test_nobody_acting_is_unknown(cast: Cast) -> None:
    with watching() as seen:
        cast.ada.groups.add(cast.finance)
    assert (seen.event.actor_kind, seen.event.actor_id, seen.event.actor_label) == ("unknown", "", "")


def test_the_event_of_a_membership_says_everything(cast: Cast) -> None:
    group = role_group("approver")
    before = timezone.now()
    with watching() as seen:
        cast.ada.groups.add(group)
    event = seen.event
    assert (event.holder_kind, str(event.holder_id), event.holder_label) == (
        "user",
        str(cast.ada.pk),
        str(cast.ada),
    )
    assert (str(event.group_id), event.group_label) == (str(group.pk), group.name)
    assert (event.object_pk, event.until, event.reason) == ("", None, "")
    assert milliseconds(before) <= event.recorded_at <= timezone.now()


def test_the_event_of_a_permission_says_everything(cast: Cast) -> None:
    with watching() as seen:
        cast.finance.permissions.add(permission("role_approver"))
    event = seen.event
    assert (event.holder_kind, str(event.holder_id), event.holder_label) == (
        "group",
        str(cast.finance.pk),
        "Finance",
    )
    assert (event.role, event.permission) == ("approver", "role_approver")
    assert (event.model_label, event.object_pk) == ("testapp.claim", "")
    assert str(event.group_id or "") == event.group_label == ""


def test_the_event_of_a_direct_permission_names_no_role(cast: Cast) -> None:
    with watching() as seen:
        cast.ada.user_permissions.add(permission("fire_close", Binder))
    assert (seen.event.role, seen.event.permission, seen.event.model_label) == (
        "",
        "fire_close",
        "testapp.binder",
    )


@pytest.mark.parametrize("kind", ["claim", "dossier", "plate", "binder"])
def test_the_event_of_a_grant_on_a_record_names_the_record(cast: Cast, kind: str) -> None:
    record = getattr(cast, kind)
    role = "clerk" if kind == "binder" else "approver"
    from guardian.shortcuts import assign_perm

    with watching() as seen:
        assign_perm(f"role_{role}", cast.ada, record)
    event = seen.event
    assert (event.model_label, event.object_pk) == (f"testapp.{kind}", str(record.pk))
    assert (event.role, event.permission) == (role, f"role_{role}")


def test_replacing_all_memberships_tells_only_what_changed(cast: Cast) -> None:
    cast.ada.groups.set([cast.finance, role_group("approver")])
    with watching() as seen:
        cast.ada.groups.set([cast.finance, role_group("auditor")])
    seen.agree(of=2)


def test_a_permission_to_grant_is_an_access_event_too(cast: Cast) -> None:
    from django.contrib.auth.models import Permission

    mark = AccessEvent.objects.count()
    right = Permission.objects.get(content_type__app_label="fsm_lifecycle", codename="grant_roles")
    cast.ada.user_permissions.add(right)
    event = AccessEvent.objects.latest("pk")
    assert AccessEvent.objects.count() == mark + 1
    assert (event.action, event.permission) == ("granted", "grant_roles")


@pytest.mark.parametrize("at_first", ["testapp.claim:approver", "Finance"])
def test_a_row_that_is_moved_to_another_holder_is_found(cast: Cast, at_first: str) -> None:
    Group.objects.get(name=at_first).user_set.add(cast.ada)
    with watching() as seen:
        User.groups.through.objects.filter(user_id=cast.ada.pk).update(user_id=cast.bob.pk)
        reconcile()
    seen.agree(of=2)
    assert sorted(event.action for event in seen.events) == ["granted", "revoked"]


def test_a_guardian_row_that_is_moved_to_another_record_is_found(cast: Cast) -> None:
    from guardian.models import UserObjectPermission
    from guardian.shortcuts import assign_perm

    other = Claim.objects.create()
    assign_perm("role_approver", cast.ada, cast.claim)
    with watching() as seen:
        UserObjectPermission.objects.filter(user=cast.ada).update(object_pk=str(other.pk))
        reconcile()
    seen.agree(of=2)


def test_what_a_fresh_database_holds_needs_no_events() -> None:
    with watching() as seen:
        reconcile()
    seen.agree(of=0)


def test_a_removal_and_an_addition_between_two_reconciliations_cancel_out(cast: Cast) -> None:
    from tests.access.roads.ways import delete_object, insert_object

    insert_object(cast.ada, cast.claim, "role_approver")
    delete_object(cast.ada, cast.claim, "role_approver")
    with watching() as seen:
        reconcile()
    assert seen.events == []


def test_a_grant_by_sql_counts_at_once_and_is_told_later(cast: Cast) -> None:
    from fsm_lifecycle.access import roles_of
    from tests.access.roads.stored import again
    from tests.access.roads.ways import insert_object

    insert_object(cast.ada, cast.claim, "role_approver")
    assert roles_of(again(cast.ada), on=cast.claim) == {"approver"}
    assert again(cast.ada).has_perm("testapp.fire_approve", cast.claim)


def test_found_things_say_that_they_were_found(cast: Cast) -> None:
    from tests.access.roads.ways import insert_membership

    insert_membership(cast.ada, cast.finance)
    with watching() as seen:
        reconcile()
    event = seen.event if seen.events else None
    assert event is not None
    assert event.road == "reconcile"
    assert event.actor_kind != "user"
    assert event.group_label == "Finance"
    assert event.holder_label == str(cast.ada)
