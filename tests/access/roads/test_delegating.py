"""What is told of delegations and of what is done by them, and who may delegate."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, Group, Permission, User
from django.utils import timezone

from fsm_lifecycle import System, acting_as
from fsm_lifecycle.access import (
    delegate,
    grant_role,
    revoke_delegation,
)
from fsm_lifecycle.exceptions import AccessDenied, InvalidGrant
from fsm_lifecycle.models import Delegation
from tests.access.roads.moments import WEEK, close, in_a_week
from tests.access.roads.stored import again, delegations
from tests.testapp.offices import Claim

pytestmark = [pytest.mark.once, pytest.mark.django_db]

SYSTEM = System("tests")


# --- what is told -------------------------------------------------------------------------------------------------


def test_its_event(ada: User, bob: User) -> None:
    end = in_a_week()
    delegation = delegate(ada, bob, "approver", until=end, reason="on leave", by=ada)
    assert isinstance(delegation, Delegation)
    (event,) = delegations()
    assert (event.action, event.road, event.role, event.reason) == (
        "delegated",
        "api",
        "approver",
        "on leave",
    )
    assert (event.holder_kind, str(event.holder_id), event.holder_label) == ("user", str(ada.pk), str(ada))
    assert (str(event.delegate_id), event.delegate_label) == (str(bob.pk), str(bob))
    assert (event.actor_kind, event.actor_id) == ("user", str(ada.pk))
    assert close(event.until, end)


def test_an_entry_names_both(ada: User, bob: User, claim: Claim) -> None:
    grant_role(ada, "approver", on=claim, by=SYSTEM)
    delegate(ada, bob, until=in_a_week(), by=ada)
    entry = claim.fire("reject", actor=again(bob))
    entry = claim.log.get(pk=entry.pk)
    assert (entry.actor_kind, entry.actor_id) == ("user", str(bob.pk))
    assert entry.on_behalf_of == {"id": str(ada.pk), "label": str(ada)}
    assert claim.replay().whole


def test_entries_of_a_queryset_name_both(ada: User, bob: User) -> None:
    grant_role(ada, "approver", on=Claim, by=SYSTEM)
    with acting_as(SYSTEM):
        Claim.objects.bulk_create([Claim(), Claim()])
    delegate(ada, bob, until=in_a_week(), by=ada)
    assert Claim.objects.all().fire("reject", actor=again(bob)).succeeded == 2
    for claim in Claim.objects.all():
        assert claim.log.get(kind="transition").on_behalf_of == {"id": str(ada.pk), "label": str(ada)}
        assert claim.replay().whole


def test_who_has_the_right_himself_acts_for_nobody(ada: User, bob: User, claim: Claim) -> None:
    grant_role(ada, "approver", on=claim, by=SYSTEM)
    grant_role(bob, "approver", on=claim, by=SYSTEM)
    delegate(ada, bob, until=in_a_week(), by=ada)
    assert not claim.fire("reject", actor=again(bob)).on_behalf_of


def test_entries_without_delegation_name_nobody(ada: User, claim: Claim) -> None:
    grant_role(ada, "approver", on=claim, by=SYSTEM)
    assert not claim.fire("reject", actor=again(ada)).on_behalf_of


def test_separated_duties_count_the_person_behind(ada: User, bob: User, carol: User, claim: Claim) -> None:
    """Who examined for Ada is neither Ada, for whom he did it, nor free to approve himself."""
    grant_role(ada, "examiner", on=claim, by=SYSTEM)
    for user in (ada, bob, carol):
        grant_role(user, "approver", on=claim, by=SYSTEM)
    delegate(ada, bob, "examiner", until=in_a_week(), by=ada)
    assert claim.fire("examine", actor=again(bob)).on_behalf_of == {"id": str(ada.pk), "label": str(ada)}
    for user in (ada, bob):
        with pytest.raises(AccessDenied) as error:
            claim.fire("approve", actor=again(user))
        assert error.value.code == "four_eyes"
    claim.fire("approve", actor=again(carol))


def test_separated_duties_cannot_be_passed_through_a_delegate(ada: User, bob: User, claim: Claim) -> None:
    """Ada examined; Bob, who may approve only for Ada, would be Ada approving."""
    grant_role(ada, "examiner", on=claim, by=SYSTEM)
    grant_role(ada, "approver", on=claim, by=SYSTEM)
    delegate(ada, bob, until=in_a_week(), by=ada)
    claim.fire("examine", actor=again(ada))
    with pytest.raises(AccessDenied) as error:
        claim.fire("approve", actor=again(bob))
    assert error.value.code == "four_eyes"
    assert [d.code for d in claim.decide("approve", actor=again(bob)).denials] == ["four_eyes"]


# --- who may ------------------------------------------------------------------------------------------------------


def test_oneself_a_program_a_superuser_or_who_may_grant(
    ada: User, bob: User, carol: User, root: User
) -> None:
    carol.user_permissions.add(
        Permission.objects.get(content_type__app_label="fsm_lifecycle", codename="grant_roles")
    )
    for by in (ada, SYSTEM, root, again(carol)):
        delegation = delegate(ada, bob, until=in_a_week(), by=by)
        revoke_delegation(delegation, by=by)
    with acting_as(ada):
        revoke_delegation(delegate(ada, bob, until=in_a_week()))


def test_nobody_else_delegates_or_revokes(ada: User, bob: User, carol: User) -> None:
    for by in (bob, carol, AnonymousUser()):
        with pytest.raises(AccessDenied):
            delegate(ada, bob, until=in_a_week(), by=by)
    assert delegations() == []
    assert not Delegation.objects.exists()
    delegation = delegate(ada, bob, until=in_a_week(), by=ada)
    with pytest.raises(AccessDenied):
        revoke_delegation(delegation, by=carol)
    assert Delegation.objects.count() == 1


def refused(*args: Any, **kwargs: Any) -> str:
    with pytest.raises(InvalidGrant) as error:
        delegate(*args, **{"by": SYSTEM, "until": in_a_week(), **kwargs})
    assert error.value.code == "invalid_grant"
    assert not Delegation.objects.exists()
    assert delegations() == []
    return str(error.value)


def test_what_is_refused(ada: User, bob: User) -> None:
    assert refused(ada, ada)
    assert refused(ada, bob, "no such role")
    assert refused(ada, AnonymousUser())
    assert refused(ada, User(username="unsaved"))
    assert refused(ada, Group.objects.create(name="a group"))
    assert refused(ada, bob, until=timezone.now() - WEEK)
    assert refused(ada, bob, until=datetime(2999, 1, 1))  # noqa: DTZ001 - naive is what is refused
    User.objects.filter(pk=bob.pk).update(is_active=False)
    assert refused(ada, again(bob))
    assert refused(again(bob), ada)


def test_an_end_is_required(ada: User, bob: User) -> None:
    untyped: Any = delegate
    with pytest.raises((TypeError, InvalidGrant)):
        untyped(ada, bob, by=ada)
    with pytest.raises((TypeError, InvalidGrant)):
        untyped(ada, bob, until=None, by=ada)
    assert not Delegation.objects.exists()
