"""Who may grant what to whom, and what a refusal says."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, Group, Permission, User
from guardian.shortcuts import assign_perm

from fsm_lifecycle import Role, System, acting_as
from fsm_lifecycle.access import grant_role, revoke_role, roles_of
from fsm_lifecycle.exceptions import AccessDenied, ActorRequired, InvalidGrant, LifecycleError
from fsm_lifecycle.models import AccessEvent
from tests.access.roads.stored import again, permission, watching
from tests.testapp.models import Light
from tests.testapp.offices import Binder, Claim, Dossier, Duty

pytestmark = [pytest.mark.once, pytest.mark.django_db]

SYSTEM = System("tests")


@pytest.fixture
def clerk(db: None) -> User:
    """May grant roles, but nothing yet says on what."""
    user = User.objects.create_user("clerk")
    user.user_permissions.add(
        Permission.objects.get(content_type__app_label="fsm_lifecycle", codename="grant_roles")
    )
    return again(user)


# --- who may ------------------------------------------------------------------------------------------------------


def test_a_program_may(ada: User, claim: Claim) -> None:
    event = grant_role(ada, "approver", on=claim, by=System("payroll import"), reason="new in the team")
    assert isinstance(event, AccessEvent)
    assert (event.actor_kind, event.actor_id, event.reason) == ("system", "payroll import", "new in the team")


def test_a_superuser_may(ada: User, root: User, claim: Claim) -> None:
    event = grant_role(ada, "approver", on=claim, by=root)
    assert event is not None
    assert (event.actor_kind, event.actor_id, event.actor_label) == ("user", str(root.pk), str(root))


def test_by_default_it_is_the_current_actor(ada: User, root: User, bob: User, claim: Claim) -> None:
    with acting_as(root):
        event = grant_role(ada, "approver", on=claim)
        assert event is not None
        assert event.actor_id == str(root.pk)
        event = revoke_role(ada, "approver", on=claim)
        assert event is not None
        assert event.actor_id == str(root.pk)
    with acting_as(bob), pytest.raises(AccessDenied):
        grant_role(ada, "approver", on=claim)
    with acting_as(bob):
        assert grant_role(ada, "approver", on=claim, by=SYSTEM) is not None


def test_somebody_has_to_grant(ada: User, claim: Claim) -> None:
    with pytest.raises(ActorRequired):
        grant_role(ada, "approver", on=claim)


def test_the_event_that_is_returned_is_the_one_that_is_stored(ada: User, claim: Claim) -> None:
    event = grant_role(ada, "approver", on=claim, by=SYSTEM)
    assert event is not None
    assert AccessEvent.objects.latest("pk") == event
    assert AccessEvent.objects.get(pk=event.pk).object_pk == event.object_pk == str(claim.pk)


def test_grant_roles_alone_is_not_enough(ada: User, clerk: User, claim: Claim) -> None:
    for on in (Claim, claim):
        with watching() as seen, pytest.raises(AccessDenied):
            grant_role(ada, "approver", on=on, by=clerk)
        seen.agree(of=0)


@pytest.mark.parametrize("how", ["user permission", "group permission", "role"])
def test_with_the_right_to_change_all_records(
    ada: User, clerk: User, finance: Group, claim: Claim, how: str
) -> None:
    if how == "user permission":
        clerk.user_permissions.add(permission("change_claim"))
    elif how == "group permission":
        finance.permissions.add(permission("change_claim"))
        clerk.groups.add(finance)
    else:
        grant_role(clerk, "manager", on=Claim, by=SYSTEM)
    clerk = again(clerk)
    assert grant_role(ada, "approver", on=Claim, by=clerk) is not None
    assert grant_role(ada, "approver", on=claim, by=clerk) is not None
    assert revoke_role(ada, "approver", on=claim, by=clerk) is not None
    assert revoke_role(ada, "approver", on=Claim, by=clerk) is not None
    with pytest.raises(AccessDenied):
        grant_role(ada, "approver", on=Dossier, by=clerk)


@pytest.mark.parametrize("how", ["guardian", "role"])
def test_with_the_right_to_change_one_record(ada: User, clerk: User, claim: Claim, how: str) -> None:
    if how == "guardian":
        assign_perm("change_claim", clerk, claim)
    else:
        grant_role(clerk, "owner", on=claim, by=SYSTEM)
    clerk = again(clerk)
    assert grant_role(ada, "approver", on=claim, by=clerk) is not None
    for on in (Claim, Claim.objects.create()):
        with pytest.raises(AccessDenied):
            grant_role(ada, "approver", on=on, by=clerk)


def test_the_right_to_change_alone_is_not_enough(ada: User, bob: User, claim: Claim) -> None:
    grant_role(bob, "manager", on=Claim, by=SYSTEM)
    with watching() as seen, pytest.raises(AccessDenied) as error:
        grant_role(ada, "approver", on=claim, by=again(bob))
    seen.agree(of=0)
    assert "grant_roles" in str(error.value)
    assert error.value.code == "access_denied"


def test_grant_roles_may_come_from_a_group(ada: User, bob: User, finance: Group, claim: Claim) -> None:
    finance.permissions.add(
        Permission.objects.get(content_type__app_label="fsm_lifecycle", codename="grant_roles")
    )
    bob.groups.add(finance)
    grant_role(bob, "manager", on=Claim, by=SYSTEM)
    assert grant_role(ada, "approver", on=claim, by=again(bob)) is not None


@pytest.mark.parametrize("which", ["clerk", "root"])
def test_nobody_grants_after_being_deactivated(
    ada: User, clerk: User, root: User, claim: Claim, which: str
) -> None:
    granter = clerk if which == "clerk" else root
    granter.user_permissions.add(permission("change_claim"))
    granter.is_active = False
    granter.save()
    with pytest.raises(AccessDenied):
        grant_role(ada, "approver", on=claim, by=again(granter))


def test_an_anonymous_visitor_grants_nothing(ada: User, claim: Claim) -> None:
    with pytest.raises((AccessDenied, ActorRequired)):
        grant_role(ada, "approver", on=claim, by=AnonymousUser())
    assert roles_of(again(ada), on=claim) == set()


@pytest.mark.parametrize("by", ["root", 7, User])
def test_by_must_be_an_actor(ada: User, claim: Claim, by: Any) -> None:
    with pytest.raises(LifecycleError):
        grant_role(ada, "approver", on=claim, by=by)
    assert roles_of(again(ada), on=claim) == set()


def test_who_may_not_grant_learns_nothing_of_who_holds_what(ada: User, bob: User, claim: Claim) -> None:
    grant_role(ada, "approver", on=claim, by=SYSTEM)
    with pytest.raises(AccessDenied):
        grant_role(ada, "approver", on=claim, by=bob)
    with pytest.raises(AccessDenied):
        revoke_role(ada, "cashier", on=claim, by=bob)


# --- errors -------------------------------------------------------------------------------------------------------


def refused(*args: Any, verb: Any = grant_role, **kwargs: Any) -> str:
    """The message of a refusal, after which everything is as it was."""
    with watching() as seen, pytest.raises(InvalidGrant) as error:
        verb(*args, by=SYSTEM, **kwargs)
    seen.agree(of=0)
    assert error.value.code == "invalid_grant"
    assert isinstance(error.value, ValueError)
    assert isinstance(error.value, LifecycleError)
    return str(error.value)


@pytest.mark.parametrize("verb", [grant_role, revoke_role])
def test_a_role_that_the_table_does_not_declare(ada: User, claim: Claim, verb: Any) -> None:
    for on in (Claim, claim):
        message = refused(ada, "aprover", on=on, verb=verb)
        assert "aprover" in message
        assert "approver" in message


@pytest.mark.parametrize("verb", [grant_role, revoke_role])
def test_a_model_without_roles(ada: User, verb: Any) -> None:
    assert "any" in refused(ada, "any", on=Duty, verb=verb)
    assert "any" in refused(ada, "any", on=Light.objects.create(), verb=verb)


@pytest.mark.parametrize("verb", [grant_role, revoke_role])
def test_a_model_without_a_lifecycle(ada: User, verb: Any) -> None:
    for on in (Group, Group.objects.create(name="a"), "testapp.Claim", None, 7, Claim.objects.all()):
        assert refused(ada, "approver", on=on, verb=verb)


@pytest.mark.parametrize("verb", [grant_role, revoke_role])
def test_a_record_that_is_not_saved(ada: User, verb: Any) -> None:
    assert "save" in refused(ada, "approver", on=Claim(), verb=verb).lower()
    # A UUID is there before the record is.
    assert "save" in refused(ada, "approver", on=Dossier(), verb=verb).lower()


def test_a_record_that_is_gone_is_not_granted(ada: User, claim: Claim) -> None:
    copy = Claim.objects.get(pk=claim.pk)
    copy.delete()
    assert refused(ada, "approver", on=copy)


def test_a_deactivated_user_gets_nothing_but_can_lose_it(ada: User, claim: Claim) -> None:
    grant_role(ada, "approver", on=claim, by=SYSTEM)
    User.objects.filter(pk=ada.pk).update(is_active=False)
    assert refused(again(ada), "auditor", on=claim)
    with watching() as seen:
        assert revoke_role(again(ada), "approver", on=claim, by=SYSTEM) is not None
    seen.agree(of=1)


def test_neither_a_visitor_nor_a_stranger_gets_anything(claim: Claim, ada: User) -> None:
    unsaved = User(username="nobody")
    for holder in (AnonymousUser(), unsaved, "ada", ada.pk, None, claim, SYSTEM, Group(name="unsaved")):
        assert refused(holder, "approver", on=claim)


def test_what_is_held_only_through_a_group_cannot_be_revoked_from_its_member(
    ada: User, finance: Group, claim: Claim
) -> None:
    ada.groups.add(finance)
    grant_role(finance, "approver", on=claim, by=SYSTEM)
    grant_role(finance, "auditor", on=Claim, by=SYSTEM)
    assert "Finance" in refused(ada, "approver", on=claim, verb=revoke_role)
    assert "Finance" in refused(ada, "auditor", on=Claim, verb=revoke_role)
    assert roles_of(again(ada), on=claim) == {"approver", "auditor"}


def test_revoking_what_nobody_holds_changes_nothing(ada: User, claim: Claim) -> None:
    for on in (Claim, claim):
        with watching() as seen:
            assert revoke_role(ada, "approver", on=on, by=SYSTEM) is None
        seen.agree(of=0)


def test_a_role_of_another_table_is_not_taken_for_ours(ada: User, claim: Claim) -> None:
    stranger = Binder.lifecycle.roles["clerk"]
    assert refused(ada, stranger, on=claim)
    assert isinstance(stranger, Role)
