"""What a grant is stored as, what it gives, and from when."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, User
from guardian.shortcuts import assign_perm

from fsm_lifecycle import System, acting_as
from fsm_lifecycle.access import authorize, grant_role, revoke_role, roles_of, who_can
from fsm_lifecycle.definition import CRUD
from fsm_lifecycle.exceptions import AccessDenied, InvalidGrant
from tests.access.roads.stored import again, permission, role_group, stored, watching
from tests.acting import statements
from tests.testapp.offices import Claim, UrgentClaim

pytestmark = pytest.mark.django_db

SYSTEM = System("tests")


def test_a_role_may_be_named_by_its_object(ada: User, claim: Claim) -> None:
    event = grant_role(ada, Claim.lifecycle.roles["approver"], on=claim, by=SYSTEM)
    assert event is not None
    assert event.role == "approver"
    assert grant_role(ada, "approver", on=claim, by=SYSTEM) is None


def test_a_role_on_a_record_is_one_row_of_guardians(ada: User, finance: Group, claim: Claim) -> None:
    from guardian.models import GroupObjectPermission, UserObjectPermission

    grant_role(ada, "manager", on=claim, by=SYSTEM)
    grant_role(finance, "manager", on=claim, by=SYSTEM)
    assert UserObjectPermission.objects.get().permission == permission("role_manager")
    assert GroupObjectPermission.objects.get().permission == permission("role_manager")


def test_a_role_for_all_records_is_a_membership_or_a_permission(ada: User, finance: Group) -> None:
    before = stored()
    grant_role(ada, "manager", on=Claim, by=SYSTEM)
    grant_role(finance, "manager", on=Claim, by=SYSTEM)
    assert list(ada.groups.all()) == [role_group("manager")]
    assert list(finance.permissions.all()) == [permission("role_manager")]
    assert (stored() - before).total() == 2


def test_the_event_of_a_role_for_all_records(ada: User, finance: Group) -> None:
    for holder in (ada, finance):
        event = grant_role(holder, "manager", on=Claim, by=SYSTEM)
        assert event is not None
        assert (event.role, event.model_label, event.object_pk) == ("manager", "testapp.claim", "")
        assert event.road == "api"


def test_groups_hold_roles_for_their_members(ada: User, bob: User, finance: Group, claim: Claim) -> None:
    ada.groups.add(finance)
    grant_role(finance, "approver", on=claim, by=SYSTEM)
    grant_role(finance, "auditor", on=Claim, by=SYSTEM)
    assert roles_of(again(ada), on=claim) == {"approver", "auditor"}
    assert roles_of(again(ada), on=Claim) == {"auditor"}
    assert roles_of(again(bob), on=claim) == set()
    bob.groups.add(finance)
    assert set(who_can("approve", on=claim)) == {ada, bob}
    revoke_role(finance, "approver", on=claim, by=SYSTEM)
    assert roles_of(again(ada), on=claim) == {"auditor"}


def test_a_role_that_is_held_twice_is_lost_once(ada: User, finance: Group, claim: Claim) -> None:
    ada.groups.add(finance)
    grant_role(finance, "approver", on=claim, by=SYSTEM)
    grant_role(ada, "approver", on=claim, by=SYSTEM)
    with watching() as seen:
        revoke_role(ada, "approver", on=claim, by=SYSTEM)
    seen.agree(of=1)
    assert roles_of(again(ada), on=claim) == {"approver"}


def test_on_a_proxy_the_concrete_models_permission_is_stored(ada: User, bob: User) -> None:
    with acting_as(SYSTEM):
        urgent = UrgentClaim.objects.create()
    with watching() as seen:
        grant_role(ada, "courier", on=urgent, by=SYSTEM)
    seen.agree(of=1)
    assert (seen.event.model_label, seen.event.object_pk) == ("testapp.claim", str(urgent.pk))
    assert roles_of(again(ada), on=urgent) == {"courier"}
    assert again(ada).has_perm("testapp.fire_hurry", urgent)
    with watching() as seen:
        grant_role(bob, "courier", on=UrgentClaim, by=SYSTEM)
    seen.agree(of=1)
    assert roles_of(again(bob), on=UrgentClaim) == {"courier"}
    assert urgent.can_fire("hurry", actor=again(bob))
    revoke_role(bob, "courier", on=UrgentClaim, by=SYSTEM)
    assert not UrgentClaim.objects.get().can_fire("hurry", actor=again(bob))


def test_a_role_of_the_proxy_is_none_of_the_concrete_model(ada: User, claim: Claim) -> None:
    with watching() as seen, pytest.raises(InvalidGrant, match="courier"):
        grant_role(ada, "courier", on=claim, by=SYSTEM)
    seen.agree(of=0)
    grant_role(ada, "courier", on=UrgentClaim.objects.get(pk=claim.pk), by=SYSTEM)
    assert roles_of(again(ada), on=claim) == set()


def test_a_role_of_the_concrete_model_holds_through_the_proxy(ada: User, claim: Claim) -> None:
    grant_role(ada, "approver", on=claim, by=SYSTEM)
    urgent = UrgentClaim.objects.get(pk=claim.pk)
    assert roles_of(again(ada), on=urgent) == {"approver"}
    with watching() as seen:
        assert grant_role(ada, "approver", on=urgent, by=SYSTEM) is None
        assert revoke_role(ada, "approver", on=urgent, by=SYSTEM) is not None
    seen.agree(of=1)


def test_a_deactivated_user_keeps_grants_that_count_for_nothing(ada: User, claim: Claim) -> None:
    grant_role(ada, "approver", on=claim, by=SYSTEM)
    ada.is_active = False
    with watching() as seen:
        ada.save()
    seen.agree(of=0)
    ada = again(ada)
    assert roles_of(ada, on=claim) == set()
    assert not ada.has_perm("testapp.fire_approve", claim)
    assert not Claim.objects.visible_to(ada).exists()
    assert ada not in who_can("approve", on=claim)
    with pytest.raises(AccessDenied):
        authorize(ada, CRUD.READ, claim)
    ada.is_active = True
    ada.save()
    assert roles_of(again(ada), on=claim) == {"approver"}


def test_a_grant_counts_at_once_for_a_user_that_is_loaded_already(ada: User, claim: Claim) -> None:
    assert roles_of(ada, on=claim) == set()
    assert not ada.has_perm("testapp.fire_reject", claim)
    grant_role(ada, "approver", on=claim, by=SYSTEM)
    assert ada.has_perm("testapp.fire_reject", claim)
    assert claim.can_fire("reject", actor=ada)
    revoke_role(ada, "approver", on=claim, by=SYSTEM)
    assert not ada.has_perm("testapp.fire_reject", claim)
    assert not claim.can_fire("reject", actor=ada)


@pytest.mark.parametrize("way", ["groups", "permissions", "guardian", "group permissions"])
def test_a_change_by_any_road_counts_at_once_in_this_process(
    ada: User, finance: Group, claim: Claim, way: str
) -> None:
    from guardian.shortcuts import remove_perm

    ada.groups.add(finance)
    assert not ada.has_perm("testapp.fire_reject", claim)

    def change(verb: str) -> None:
        if way == "groups":
            getattr(ada.groups, verb)(role_group("approver"))
        elif way == "permissions":
            getattr(ada.user_permissions, verb)(permission("fire_reject"))
        elif way == "group permissions":
            getattr(finance.permissions, verb)(permission("role_approver"))
        else:
            (assign_perm if verb == "add" else remove_perm)("role_approver", finance, claim)

    change("add")
    assert ada.has_perm("testapp.fire_reject", claim)
    assert claim.can_fire("reject", actor=ada)
    change("remove")
    assert not ada.has_perm("testapp.fire_reject", claim)
    assert not claim.can_fire("reject", actor=ada)


def test_granting_costs_few_statements(ada: User, claim: Claim) -> None:
    grant_role(ada, "auditor", on=claim, by=SYSTEM)
    with statements() as sent:
        grant_role(ada, "approver", on=claim, by=SYSTEM)
    assert len(sent) <= 10, sent
