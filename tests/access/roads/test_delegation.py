"""Acting for someone else: while it lasts, with one role or all, never in a chain, and both are named."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User

from fsm_lifecycle import System, acting_as
from fsm_lifecycle.access import (
    authorize,
    delegate,
    grant_role,
    revoke_delegation,
    revoke_role,
    roles_of,
    who_can,
)
from fsm_lifecycle.definition import CRUD
from fsm_lifecycle.exceptions import AccessDenied, InvalidGrant
from fsm_lifecycle.models import AccessEvent, Delegation
from tests.access.roads.moments import WEEK, has_come, in_a_week
from tests.access.roads.stored import again, delegations, reconcile, stored
from tests.testapp.offices import Binder, Claim, Dossier, Plate

pytestmark = pytest.mark.django_db

SYSTEM = System("tests")


# --- what it gives ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [Claim, Dossier, Plate])
@pytest.mark.parametrize("wide", [True, False])
def test_the_other_acts_with_all_roles(ada: User, bob: User, model: Any, wide: bool) -> None:
    with acting_as(SYSTEM):
        record, other = (
            (model.objects.create(pk="a"), model.objects.create(pk="b"))
            if model is Plate
            else (
                model.objects.create(),
                model.objects.create(),
            )
        )
    grant_role(ada, "approver", on=model if wide else record, by=SYSTEM)
    grant_role(ada, "auditor", on=record, by=SYSTEM)
    assert roles_of(again(bob), on=record) == set()
    delegate(ada, bob, until=in_a_week(), by=ada)
    assert roles_of(again(bob), on=record) == {"approver", "auditor"}
    assert roles_of(again(bob), on=other) == ({"approver"} if wide else set())
    assert roles_of(again(bob), on=model) == ({"approver"} if wide else set())
    assert again(bob).has_perm("testapp.fire_reject", record)
    assert again(bob).has_perm("testapp.fire_reject", other) is wide
    assert set(model.objects.visible_to(again(bob))) == ({record, other} if wide else {record})
    assert set(who_can("reject", on=record)) == {ada, bob}
    assert record.can_fire("reject", actor=again(bob))
    authorize(again(bob), CRUD.READ, record)


def test_one_role_alone(ada: User, bob: User, claim: Claim) -> None:
    grant_role(ada, "approver", on=claim, by=SYSTEM)
    grant_role(ada, "cashier", on=claim, by=SYSTEM)
    delegate(ada, bob, "approver", until=in_a_week(), by=ada)
    assert roles_of(again(bob), on=claim) == {"approver"}
    assert not again(bob).has_perm("testapp.fire_pay", claim)


def test_a_role_that_comes_through_a_group_is_delegated_too(
    ada: User, bob: User, finance: Group, claim: Claim
) -> None:
    ada.groups.add(finance)
    grant_role(finance, "approver", on=claim, by=SYSTEM)
    grant_role(finance, "auditor", on=Claim, by=SYSTEM)
    delegate(ada, bob, until=in_a_week(), by=ada)
    assert roles_of(again(bob), on=claim) == {"approver", "auditor"}


def test_with_direct_foreign_keys(ada: User, bob: User) -> None:
    with acting_as(SYSTEM):
        binder = Binder.objects.create(title="Blue")
    grant_role(ada, "clerk", on=binder, by=SYSTEM)
    delegate(ada, bob, until=in_a_week(), by=ada)
    assert roles_of(again(bob), on=binder) == {"clerk"}
    entry = binder.fire("close", actor=again(bob))
    assert entry.on_behalf_of == {"id": str(ada.pk), "label": str(ada)}


def test_it_copies_nothing(ada: User, bob: User, claim: Claim) -> None:
    """What the first gains or loses later, the other gains and loses with him."""
    before = stored()
    delegate(ada, bob, until=in_a_week(), by=ada)
    assert stored() == before
    grant_role(ada, "approver", on=claim, by=SYSTEM)
    assert roles_of(again(bob), on=claim) == {"approver"}
    revoke_role(ada, "approver", on=claim, by=SYSTEM)
    assert roles_of(again(bob), on=claim) == set()


def test_a_role_whose_own_term_has_ended_is_not_delegated(ada: User, bob: User, claim: Claim) -> None:
    end = in_a_week()
    grant_role(ada, "approver", on=claim, by=SYSTEM, until=end)
    delegate(ada, bob, until=end + WEEK, by=ada)
    has_come(end)
    assert roles_of(again(bob), on=claim) == set()
    with pytest.raises(AccessDenied):
        claim.fire("reject", actor=again(bob))


def test_there_is_no_chain(ada: User, bob: User, carol: User, claim: Claim) -> None:
    grant_role(ada, "approver", on=claim, by=SYSTEM)
    grant_role(bob, "auditor", on=claim, by=SYSTEM)
    delegate(ada, bob, until=in_a_week(), by=ada)
    delegate(bob, carol, until=in_a_week(), by=bob)
    assert roles_of(again(bob), on=claim) == {"approver", "auditor"}
    assert roles_of(again(carol), on=claim) == {"auditor"}
    assert not again(carol).has_perm("testapp.fire_reject", claim)
    assert carol not in who_can("reject", on=claim)
    with pytest.raises(AccessDenied):
        claim.fire("reject", actor=again(carol))


def test_two_who_delegate_to_each_other(ada: User, bob: User, claim: Claim) -> None:
    grant_role(ada, "approver", on=claim, by=SYSTEM)
    grant_role(bob, "cashier", on=claim, by=SYSTEM)
    delegate(ada, bob, until=in_a_week(), by=ada)
    delegate(bob, ada, until=in_a_week(), by=bob)
    assert roles_of(again(ada), on=claim) == roles_of(again(bob), on=claim) == {"approver", "cashier"}


@pytest.mark.parametrize("which", ["delegator", "delegate"])
def test_a_deactivated_person_gives_and_gets_nothing(ada: User, bob: User, claim: Claim, which: str) -> None:
    grant_role(ada, "approver", on=claim, by=SYSTEM)
    grant_role(ada, "approver", on=Claim, by=SYSTEM)
    delegate(ada, bob, until=in_a_week(), by=ada)
    User.objects.filter(pk=(ada if which == "delegator" else bob).pk).update(is_active=False)
    assert roles_of(again(bob), on=claim) == roles_of(again(bob), on=Claim) == set()
    assert bob not in who_can("reject", on=claim)
    assert not Claim.objects.visible_to(again(bob)).exists()
    assert not again(bob).has_perm("testapp.fire_reject", claim)
    with pytest.raises(AccessDenied):
        claim.fire("reject", actor=again(bob))


def test_being_a_superuser_is_not_delegated(root: User, bob: User, claim: Claim) -> None:
    """Roles are; a superuser has all rights and no role."""
    delegate(root, bob, until=in_a_week(), by=root)
    assert roles_of(again(bob), on=claim) == set()
    with pytest.raises(AccessDenied):
        claim.fire("reject", actor=again(bob))


def test_the_right_to_grant_roles_is_not_delegated(ada: User, bob: User, carol: User, claim: Claim) -> None:
    ada.user_permissions.add(
        Permission.objects.get(content_type__app_label="fsm_lifecycle", codename="grant_roles")
    )
    grant_role(ada, "manager", on=Claim, by=SYSTEM)
    delegate(ada, bob, until=in_a_week(), by=again(ada))
    with pytest.raises(AccessDenied):
        grant_role(carol, "approver", on=claim, by=again(bob))


# --- how long -----------------------------------------------------------------------------------------------------


def test_it_ends(ada: User, bob: User, claim: Claim) -> None:
    grant_role(ada, "approver", on=claim, by=SYSTEM)
    end = in_a_week()
    delegate(ada, bob, until=end, by=ada)
    assert roles_of(again(bob), on=claim) == {"approver"}
    has_come(end)
    assert roles_of(again(bob), on=claim) == set()
    assert bob not in who_can("reject", on=claim)
    assert not Claim.objects.visible_to(again(bob)).exists()
    with pytest.raises(AccessDenied):
        claim.fire("reject", actor=bob)


def test_the_sweep_removes_and_tells(ada: User, bob: User) -> None:
    end = in_a_week()
    delegate(ada, bob, until=end, by=ada)
    has_come(end)
    mark = delegations()[-1].pk
    reconcile()
    event = AccessEvent.objects.filter(pk__gt=mark).get()
    assert (event.action, event.road) == ("expired", "sweep")
    assert (str(event.holder_id), str(event.delegate_id)) == (str(ada.pk), str(bob.pk))
    assert not Delegation.objects.exists()
    reconcile()
    assert AccessEvent.objects.latest("pk") == event


def test_a_delegation_that_lasts_is_not_swept(ada: User, bob: User) -> None:
    delegate(ada, bob, until=in_a_week(), by=ada)
    mark = delegations()[-1].pk
    reconcile()
    assert delegations(mark) == []
    assert Delegation.objects.count() == 1


def test_it_can_be_revoked(ada: User, bob: User, claim: Claim) -> None:
    grant_role(ada, "approver", on=claim, by=SYSTEM)
    delegation = delegate(ada, bob, until=in_a_week(), by=ada, reason="on leave")
    mark = delegations()[-1].pk
    revoke_delegation(delegation, by=ada, reason="back already")
    (event,) = delegations(mark)
    assert (event.action, event.reason, event.actor_id) == ("undelegated", "back already", str(ada.pk))
    assert (str(event.holder_id), str(event.delegate_id)) == (str(ada.pk), str(bob.pk))
    assert roles_of(again(bob), on=claim) == set()
    assert bob not in who_can("reject", on=claim)


def test_revoking_twice_tells_once(ada: User, bob: User) -> None:
    delegation = delegate(ada, bob, until=in_a_week(), by=ada)
    copy = Delegation.objects.get(pk=delegation.pk)
    revoke_delegation(delegation, by=ada)
    mark = delegations()[-1].pk
    with suppress(InvalidGrant):
        revoke_delegation(copy, by=ada)
    assert delegations(mark) == []


def test_after_the_revocation_another_delegation_still_holds(ada: User, bob: User, claim: Claim) -> None:
    grant_role(ada, "approver", on=claim, by=SYSTEM)
    grant_role(ada, "auditor", on=claim, by=SYSTEM)
    first = delegate(ada, bob, "approver", until=in_a_week(), by=ada)
    delegate(ada, bob, "auditor", until=in_a_week(), by=ada)
    revoke_delegation(first, by=ada)
    assert roles_of(again(bob), on=claim) == {"auditor"}


@pytest.mark.parametrize("which", ["delegator", "delegate"])
def test_deleting_one_of_the_two_ends_it_and_tells(ada: User, bob: User, which: str) -> None:
    delegate(ada, bob, until=in_a_week(), by=ada)
    mark = delegations()[-1].pk
    keys = (str(ada.pk), str(bob.pk))
    (ada if which == "delegator" else bob).delete()
    assert not Delegation.objects.exists()
    (event,) = delegations(mark)
    assert (event.action, event.road) == ("undelegated", "deletion")
    assert (str(event.holder_id), str(event.delegate_id)) == keys
