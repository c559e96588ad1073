"""Permissions and groups follow the table: after migrating, and by ``manage.py lifecycle_roles``."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.contrib.contenttypes.models import ContentType
from guardian.shortcuts import assign_perm

from fsm_lifecycle import System
from fsm_lifecycle.access import grant_role, revoke_role, roles_of, who_can
from fsm_lifecycle.exceptions import InvalidGrant
from fsm_lifecycle.models import AccessEvent
from fsm_lifecycle.registry import lifecycles
from tests.access.roads.command import emit_post_migrate, everything, run
from tests.access.roads.stored import again, last, permission, reconcile, role_group, stored, watching
from tests.acting import statements
from tests.testapp.offices import Binder, Claim, Duty, UrgentClaim

pytestmark = pytest.mark.django_db(databases=["default", "other"])

SYSTEM = System("tests")


SYNCS = {"sync": lambda: run("--sync"), "post_migrate": emit_post_migrate}


@pytest.fixture(params=SYNCS)
def sync(request: Any) -> Any:
    return SYNCS[request.param]


# --- what is made -------------------------------------------------------------------------------------------------


def test_every_event_and_role_has_its_permission_on_the_concrete_model() -> None:
    missing = []
    for model in lifecycles():
        concrete = model._meta.concrete_model
        assert concrete is not None
        content_type = ContentType.objects.get_for_model(concrete)
        codenames = set(
            Permission.objects.filter(content_type=content_type).values_list("codename", flat=True)
        )
        wanted = {f"fire_{event}" for event in model.lifecycle.events}
        wanted |= {f"role_{role}" for role in model.lifecycle.roles}
        missing += [(model._meta.label, codename) for codename in sorted(wanted - codenames)]
    assert missing == []


def test_a_proxys_own_events_are_on_the_concrete_models_type() -> None:
    proxy = ContentType.objects.get_for_model(UrgentClaim, for_concrete_model=False)
    ours = ("fire_", "role_")
    assert not [p for p in Permission.objects.filter(content_type=proxy) if p.codename.startswith(ours)]
    assert permission("fire_hurry").content_type == ContentType.objects.get_for_model(Claim)


def test_every_role_has_its_group() -> None:
    for role in Claim.lifecycle.roles:
        assert list(role_group(role).permissions.all()) == [permission(f"role_{role}")]
    assert role_group("clerk", Binder).permissions.get() == permission("role_clerk", Binder)
    assert not Group.objects.filter(name__startswith="testapp.duty:").exists()
    assert permission("fire_do", Duty).name


def test_the_right_to_grant_is_there() -> None:
    assert Permission.objects.get(content_type__app_label="fsm_lifecycle", codename="grant_roles").name


# --- doing it again -----------------------------------------------------------------------------------------------


def test_doing_it_again_changes_nothing(sync: Any, ada: User) -> None:
    ada.groups.add(role_group("approver"))
    before, held, events = everything(), stored(), AccessEvent.objects.count()
    sync()
    sync()
    assert everything() == before
    assert stored() == held
    assert AccessEvent.objects.count() == events


def test_doing_it_again_writes_nothing(sync: Any) -> None:
    with statements() as sent:
        sync()
    assert [statement for statement in sent if not statement.lstrip().startswith("SELECT")] == []


def test_what_was_lost_comes_back(sync: Any, ada: User, claim: Claim) -> None:
    role_group("approver").delete()
    permission("role_cashier").delete()
    permission("fire_pay").delete()
    sync()
    assert role_group("approver").permissions.get() == permission("role_approver")
    assert grant_role(ada, "cashier", on=claim, by=SYSTEM) is not None
    assert grant_role(ada, "approver", on=Claim, by=SYSTEM) is not None
    assert again(ada).has_perm("testapp.fire_pay", claim)


def test_a_group_that_lost_its_role_has_it_again_when_somebody_says_so(ada: User) -> None:
    """Not by migrating: that would give its members back in passing what somebody took from them."""
    role_group("cashier").user_set.add(ada)
    permission("role_cashier").delete()
    emit_post_migrate()
    assert roles_of(again(ada), on=Claim) == set()
    with watching() as seen:
        text = run("--sync")
    assert "testapp.claim:cashier" in text
    assert roles_of(again(ada), on=Claim) == {"cashier"}
    assert [(event.action, event.role, event.holder_kind) for event in seen.events] == [
        ("granted", "cashier", "group")
    ]


def test_the_grants_of_others_are_kept(sync: Any, ada: User, finance: Group, claim: Claim) -> None:
    finance.permissions.add(permission("role_approver"), permission("view_claim"))
    role_group("auditor").permissions.add(permission("view_binder", Binder))
    grant_role(ada, "approver", on=claim, by=SYSTEM)
    held = stored()
    sync()
    assert stored() == held


def test_granting_makes_what_is_missing_itself(ada: User, finance: Group, claim: Claim) -> None:
    role_group("approver").delete()
    permission("role_approver").delete()
    with watching() as seen:
        assert grant_role(ada, "approver", on=claim, by=SYSTEM) is not None
        assert grant_role(finance, "approver", on=Claim, by=SYSTEM) is not None
    assert len([event for event in seen.events if str(event.holder_id) == str(ada.pk)]) == 1
    assert roles_of(again(ada), on=claim) == {"approver"}


# --- names --------------------------------------------------------------------------------------------------------


def test_a_renamed_group_still_counts(sync: Any, ada: User, claim: Claim) -> None:
    group = role_group("approver")
    group.user_set.add(ada)
    group.name = "The approvers"
    group.save()
    for _ in range(2):
        assert roles_of(again(ada), on=Claim) == {"approver"}
        assert again(ada).has_perm("testapp.fire_approve", claim)
        assert ada in who_can("approve", on=claim)
        sync()
    assert Group.objects.get(pk=group.pk).name == "The approvers"


def test_granting_and_revoking_after_the_group_was_renamed(sync: Any, ada: User, bob: User) -> None:
    group = role_group("approver")
    group.user_set.add(ada)
    Group.objects.filter(pk=group.pk).update(name="The approvers")
    sync()
    with watching() as seen:
        assert grant_role(bob, "approver", on=Claim, by=SYSTEM) is not None
        assert revoke_role(bob, "approver", on=Claim, by=SYSTEM) is not None
    assert [event.action for event in seen.events] == ["granted", "revoked"]
    assert seen.gained == seen.lost == Counter()
    assert roles_of(again(bob), on=Claim) == set()
    assert roles_of(again(ada), on=Claim) == {"approver"}
    with watching() as seen:
        reconcile()
    assert seen.events == []


def test_a_group_that_has_only_the_name_gives_nothing(ada: User) -> None:
    group = role_group("approver")
    group.permissions.clear()
    group.user_set.add(ada)
    assert roles_of(again(ada), on=Claim) == set()


def squat(user: User) -> Group:
    """Somebody makes a group of the name before there is a role to it."""
    role_group("approver").delete()
    permission("role_approver").delete()
    group = Group.objects.create(name="testapp.claim:approver")
    group.user_set.add(user)
    return group


def test_a_group_that_took_the_name_gives_its_members_nothing_by_migrating(ada: User, bob: User) -> None:
    """Somebody who may make groups must not choose who approves once the role is declared."""
    group = squat(ada)
    emit_post_migrate()
    assert roles_of(again(ada), on=Claim) == set()
    assert not group.permissions.exists()
    with watching() as seen, pytest.raises(InvalidGrant, match=r"testapp\.claim:approver.*--sync.*rename"):
        grant_role(bob, "approver", on=Claim, by=SYSTEM)
    seen.agree(of=0)
    group.name = "Somebody's own"
    group.save()
    assert grant_role(bob, "approver", on=Claim, by=SYSTEM) is not None
    assert roles_of(again(bob), on=Claim) == {"approver"}
    assert roles_of(again(ada), on=Claim) == set()


def test_a_group_that_took_the_name_gets_the_role_only_with_an_event(ada: User) -> None:
    group = squat(ada)
    mark = last()
    text = run("--sync")
    told = AccessEvent.objects.filter(pk__gt=mark, action="granted", role="approver")
    assert told.filter(holder_kind="group", holder_id=str(group.pk)).count() == 1
    assert group.name in text
    assert roles_of(again(ada), on=Claim) == {"approver"}


# --- pruning ------------------------------------------------------------------------------------------------------


@pytest.fixture
def gone(ada: User, bob: User, finance: Group, claim: Claim) -> list[Permission]:
    """A role and an event that an earlier table declared, and who held them."""
    content_type = ContentType.objects.get_for_model(Claim)
    role, event = (
        Permission.objects.create(content_type=content_type, codename=codename, name=codename)
        for codename in ("role_gone", "fire_gone")
    )
    group = Group.objects.create(name="testapp.claim:gone")
    group.permissions.add(role)
    group.user_set.add(ada)
    finance.permissions.add(role)
    bob.user_permissions.add(event)
    assign_perm("role_gone", ada, claim)
    assign_perm("fire_gone", finance, claim)
    return [role, event]


def test_without_prune_nothing_goes(gone: list[Permission], sync: Any) -> None:
    held, before = stored(), everything()
    sync()
    assert stored() == held
    assert everything() == before


def test_prune_removes_what_the_table_no_longer_declares(
    gone: list[Permission], ada: User, bob: User, finance: Group, claim: Claim
) -> None:
    other = Permission.objects.create(
        content_type=ContentType.objects.get_for_model(Claim), codename="print_claim", name="Print"
    )
    ada.user_permissions.add(other, permission("view_claim"))
    grant_role(ada, "approver", on=claim, by=SYSTEM)
    grant_role(ada, "auditor", on=Claim, by=SYSTEM)
    mark = last()
    with watching() as seen:
        text = run("--sync", "--prune")
    assert not Permission.objects.filter(codename__in=["role_gone", "fire_gone"]).exists()
    assert Permission.objects.filter(pk=other.pk).exists()
    assert not seen.gained
    # Each grant that is gone has one event, and the group of the role is gone or empty of it.
    lost = {(grant.kind, grant.holder, grant.permission, grant.pk) for grant in seen.lost if grant.permission}
    assert lost >= {
        ("group", str(finance.pk), "role_gone", ""),
        ("user", str(bob.pk), "fire_gone", ""),
        ("user", str(ada.pk), "role_gone", str(claim.pk)),
        ("group", str(finance.pk), "fire_gone", str(claim.pk)),
    }
    seen.agree()
    assert {event.action for event in AccessEvent.objects.filter(pk__gt=mark)} == {"revoked"}
    assert "gone" in text
    assert roles_of(again(ada), on=claim) == {"approver", "auditor"}
    with watching() as seen:
        run("--sync", "--prune")
        reconcile()
    seen.agree(of=0)


def test_prune_leaves_groups_that_mean_more(gone: list[Permission], ada: User, finance: Group) -> None:
    finance.permissions.add(permission("role_approver"))
    ada.groups.add(finance)
    run("--sync", "--prune")
    assert list(finance.permissions.all()) == [permission("role_approver")]
    assert roles_of(again(ada), on=Claim) == {"approver"}


def test_prune_says_who_did_it(gone: list[Permission]) -> None:
    with watching() as seen:
        run("--sync", "--prune")
    assert seen.events
    assert {event.actor_kind for event in seen.events} <= {"system", "unknown"}
