"""Until when: a term that has ended counts for nothing from that second on; a sweep removes it and tells so.

Real times, short ones: whether a grant counts is asked of the database as well as of Python.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.utils import timezone
from guardian.models import UserObjectPermission
from guardian.shortcuts import assign_perm, remove_perm

from fsm_lifecycle import System
from fsm_lifecycle.access import authorize, grant_role, revoke_role, roles_of, who_can
from fsm_lifecycle.definition import CRUD
from fsm_lifecycle.exceptions import AccessDenied, InvalidGrant
from fsm_lifecycle.models import GrantTerm
from tests.access.roads.moments import close, has_come, in_a_week, passed, run_out, soon
from tests.access.roads.stored import again, permission, reconcile, role_group, stored, watching
from tests.access.roads.ways import delete_membership, delete_object, insert_membership, insert_object
from tests.testapp.offices import Binder, Claim, Dossier, Plate

pytestmark = [pytest.mark.once, pytest.mark.django_db]

SYSTEM = System("tests")


def counts(user: User, record: Any, *, event: str = "approve") -> bool:
    """Whether the user may fire it; everything that can be asked must say the same."""
    user = again(user)
    label = type(record)._meta.app_label
    answers: dict[str, bool] = {
        "has_perm": user.has_perm(f"{label}.fire_{event}", type(record).objects.get(pk=record.pk)),
        "decide": not [
            denial
            for denial in type(record).objects.get(pk=record.pk).decide(event, actor=user).denials
            if denial.code == "access_denied"
        ],
        "who_can": who_can(event, on=record).filter(pk=user.pk).exists(),
        "visible_to": type(record).objects.visible_to(user).filter(pk=record.pk).exists(),
        "roles_of": bool(roles_of(user, on=record)),
    }
    assert len(set(answers.values())) == 1, answers
    return answers["roles_of"]


@pytest.fixture(params=["user on a record", "user on all", "group on a record", "group on all"])
def way(request: Any, ada: User, finance: Group, claim: Claim) -> tuple[Any, Any]:
    """Who gets the role, and on what."""
    who, _, what = str(request.param).partition(" on ")
    ada.groups.add(finance)
    return (ada if who == "user" else finance), (claim if what == "a record" else Claim)


def test_it_counts_until_then_and_not_after(ada: User, claim: Claim, way: tuple[Any, Any]) -> None:
    holder, on = way
    end = in_a_week()
    with watching() as seen:
        grant_role(holder, "approver", on=on, by=SYSTEM, until=end)
    assert seen.event.action == "granted"
    assert close(seen.event.until, end)
    assert counts(ada, claim)
    has_come(end)
    assert not counts(ada, claim)


def test_a_sweep_removes_what_has_ended_and_tells_so(ada: User, claim: Claim, way: tuple[Any, Any]) -> None:
    holder, on = way
    before = stored()
    run_out(holder, "approver", on)
    with watching() as seen:
        reconcile()
    seen.agree(of=1)
    event = seen.event
    assert (event.action, event.road, event.role) == ("expired", "sweep", "approver")
    assert event.until is not None
    assert stored() == before
    assert not GrantTerm.objects.exists()
    with watching() as seen:
        reconcile()
    assert seen.events == []


@pytest.mark.parametrize(("model", "role"), [(Dossier, "approver"), (Plate, "approver"), (Binder, "clerk")])
def test_terms_hold_for_every_kind_of_key(ada: User, model: Any, role: str) -> None:
    record = model.objects.create(pk="HH-é 42/'%_") if model is Plate else model.objects.create()
    end = in_a_week()
    grant_role(ada, role, on=record, by=SYSTEM, until=end)
    event = "close" if model is Binder else "approve"
    assert counts(ada, record, event=event)
    has_come(end)
    assert not counts(ada, record, event=event)
    with watching() as seen:
        reconcile()
    seen.agree(of=1)
    assert (seen.event.action, seen.event.object_pk) == ("expired", str(record.pk))


def test_the_sweep_leaves_what_has_not_ended(ada: User, bob: User, claim: Claim) -> None:
    grant_role(ada, "approver", on=claim, by=SYSTEM, until=in_a_week())
    grant_role(bob, "approver", on=claim, by=SYSTEM)
    with watching() as seen:
        reconcile()
    seen.agree(of=0)
    assert counts(ada, claim)
    assert counts(bob, claim)


def test_a_user_that_was_loaded_before_the_end_is_denied_after(ada: User, claim: Claim) -> None:
    end = soon()
    grant_role(ada, "approver", on=claim, by=SYSTEM, until=end)
    assert claim.decide("examine", actor=ada).denials
    assert roles_of(ada, on=claim) == {"approver"}
    passed(end)
    with pytest.raises(AccessDenied):
        claim.fire("reject", actor=ada)
    with pytest.raises(AccessDenied):
        authorize(ada, CRUD.READ, claim)


def test_one_role_may_end_while_another_lasts(ada: User, claim: Claim) -> None:
    grant_role(ada, "auditor", on=claim, by=SYSTEM)
    run_out(ada, "approver", claim)
    assert roles_of(again(ada), on=claim) == {"auditor"}


def test_an_end_on_a_record_does_not_end_the_role_for_all(ada: User, claim: Claim) -> None:
    grant_role(ada, "approver", on=Claim, by=SYSTEM)
    run_out(ada, "approver", claim)
    assert counts(ada, claim)
    with watching() as seen:
        reconcile()
    seen.agree(of=1)
    assert counts(ada, claim)


def test_an_end_for_one_is_not_an_end_for_another(ada: User, bob: User, claim: Claim) -> None:
    grant_role(bob, "approver", on=claim, by=SYSTEM)
    grant_role(bob, "approver", on=Claim, by=SYSTEM)
    run_out(ada, "approver", claim)
    run_out(ada, "approver", Claim)
    assert counts(bob, claim)
    assert not counts(ada, claim)


# --- changing a term ----------------------------------------------------------------------------------------------


def test_prolonging(ada: User, claim: Claim, way: tuple[Any, Any]) -> None:
    holder, on = way
    end, later = soon(), in_a_week()
    grant_role(holder, "approver", on=on, by=SYSTEM, until=end)
    with watching() as seen:
        event = grant_role(holder, "approver", on=on, by=SYSTEM, until=later, reason="two weeks more")
    assert event is not None
    assert (seen.event.action, seen.event.reason) == ("granted", "two weeks more")
    assert close(seen.event.until, later)
    assert not seen.gained
    assert not seen.lost
    passed(end)
    assert counts(ada, claim)
    reconcile()
    assert counts(ada, claim)


def test_the_same_end_again_is_no_change(ada: User, way: tuple[Any, Any]) -> None:
    holder, on = way
    end = in_a_week()
    grant_role(holder, "approver", on=on, by=SYSTEM, until=end)
    with watching() as seen:
        assert grant_role(holder, "approver", on=on, by=SYSTEM, until=end) is None
    assert seen.events == []


def test_removing_the_end(ada: User, claim: Claim, way: tuple[Any, Any]) -> None:
    holder, on = way
    end = soon()
    grant_role(holder, "approver", on=on, by=SYSTEM, until=end)
    with watching() as seen:
        assert grant_role(holder, "approver", on=on, by=SYSTEM) is not None
    assert (seen.event.action, seen.event.until) == ("granted", None)
    passed(end)
    assert counts(ada, claim)
    reconcile()
    assert counts(ada, claim)
    assert not GrantTerm.objects.exists()


def test_setting_an_end_for_what_had_none(ada: User, claim: Claim, way: tuple[Any, Any]) -> None:
    holder, on = way
    grant_role(holder, "approver", on=on, by=SYSTEM)
    end = in_a_week()
    with watching() as seen:
        grant_role(holder, "approver", on=on, by=SYSTEM, until=end)
    assert seen.event.until is not None
    has_come(end)
    assert not counts(ada, claim)


def test_shortening(ada: User, claim: Claim) -> None:
    grant_role(ada, "approver", on=claim, by=SYSTEM, until=in_a_week())
    run_out(ada, "approver", claim)
    assert not counts(ada, claim)


def test_granting_again_after_the_end(ada: User, claim: Claim, way: tuple[Any, Any]) -> None:
    holder, on = way
    run_out(holder, "approver", on)
    assert grant_role(holder, "approver", on=on, by=SYSTEM) is not None
    assert counts(ada, claim)
    with watching() as seen:
        reconcile()
    assert seen.events == []
    assert counts(ada, claim)


def test_granting_again_with_a_term_after_the_sweep(ada: User, claim: Claim, way: tuple[Any, Any]) -> None:
    holder, on = way
    run_out(holder, "approver", on)
    reconcile()
    assert grant_role(holder, "approver", on=on, by=SYSTEM, until=in_a_week()) is not None
    assert counts(ada, claim)


def test_revoking_takes_the_term_along(ada: User, claim: Claim, way: tuple[Any, Any]) -> None:
    holder, on = way
    grant_role(holder, "approver", on=on, by=SYSTEM, until=in_a_week())
    revoke_role(holder, "approver", on=on, by=SYSTEM)
    assert not GrantTerm.objects.exists()
    assert not counts(ada, claim)


def test_revoking_what_has_ended(ada: User, claim: Claim) -> None:
    run_out(ada, "approver", claim)
    with watching() as seen:
        revoke_role(ada, "approver", on=claim, by=SYSTEM)
    # Whether it is called revoked or expired: it is gone, once.
    seen.agree(of=1)
    with watching() as seen:
        reconcile()
    assert seen.events == []


# --- stale terms --------------------------------------------------------------------------------------------------


def test_a_membership_that_is_given_again_in_the_admin_counts(ada: User, claim: Claim) -> None:
    run_out(ada, "approver", Claim)
    reconcile()
    ada.groups.add(role_group("approver"))
    assert counts(ada, claim)
    reconcile()
    assert counts(ada, claim)


def test_a_membership_that_is_taken_and_given_before_the_sweep_counts(ada: User, claim: Claim) -> None:
    run_out(ada, "approver", Claim)
    ada.groups.set([])
    ada.groups.set([role_group("approver")])
    assert counts(ada, claim)
    with watching() as seen:
        reconcile()
    assert seen.events == []
    assert counts(ada, claim)


def test_a_membership_that_ended_and_stayed_selected_does_not_count(ada: User, claim: Claim) -> None:
    """Saving the user's page changes nothing, so nothing is granted again."""
    run_out(ada, "approver", Claim)
    with watching() as seen:
        ada.groups.set([role_group("approver")])
    assert seen.events == []
    assert not counts(ada, claim)


def test_a_guardian_row_that_is_taken_and_given_counts(ada: User, claim: Claim) -> None:
    run_out(ada, "approver", claim)
    remove_perm("role_approver", ada, claim)
    assign_perm("role_approver", ada, claim)
    assert counts(ada, claim)
    reconcile()
    assert counts(ada, claim)


def test_a_group_permission_that_is_taken_and_given_counts(ada: User, finance: Group, claim: Claim) -> None:
    ada.groups.add(finance)
    run_out(finance, "approver", Claim)
    finance.permissions.set([])
    finance.permissions.set([permission("role_approver")])
    assert counts(ada, claim)
    reconcile()
    assert counts(ada, claim)


def test_a_term_whose_membership_went_in_sql_ends_no_later_one(ada: User, claim: Claim) -> None:
    end = in_a_week()
    grant_role(ada, "approver", on=Claim, by=SYSTEM, until=end)
    delete_membership(ada, role_group("approver"))
    ada.groups.add(role_group("approver"))
    has_come(end)
    assert counts(ada, claim)
    reconcile()
    assert counts(ada, claim)


def test_a_term_whose_row_went_in_sql_ends_no_later_one(ada: User, claim: Claim) -> None:
    end = in_a_week()
    grant_role(ada, "approver", on=claim, by=SYSTEM, until=end)
    delete_object(ada, claim, "role_approver")
    assign_perm("role_approver", ada, claim)
    has_come(end)
    assert counts(ada, claim)
    reconcile()
    assert counts(ada, claim)


def test_a_term_that_was_found_alone_is_swept(ada: User, claim: Claim) -> None:
    grant_role(ada, "approver", on=claim, by=SYSTEM, until=in_a_week())
    grant_role(ada, "approver", on=Claim, by=SYSTEM, until=in_a_week())
    delete_object(ada, claim, "role_approver")
    delete_membership(ada, role_group("approver"))
    with watching() as seen:
        reconcile()
    assert [event.action for event in seen.events] == ["revoked", "revoked"]
    assert not GrantTerm.objects.exists()
    insert_object(ada, claim, "role_approver")
    insert_membership(ada, role_group("approver"))
    assert counts(ada, claim)


def test_deleting_the_holder_takes_the_terms(ada: User, finance: Group, claim: Claim) -> None:
    for holder in (ada, finance):
        grant_role(holder, "approver", on=claim, by=SYSTEM, until=in_a_week())
        grant_role(holder, "approver", on=Claim, by=SYSTEM, until=in_a_week())
    ada.delete()
    finance.delete()
    assert not GrantTerm.objects.exists()


def test_an_expired_row_is_still_there_until_the_sweep(ada: User, claim: Claim) -> None:
    """What guardian's own functions would go by."""
    run_out(ada, "approver", claim)
    assert UserObjectPermission.objects.filter(user=ada).count() == 1
    assert not counts(ada, claim)


# --- what is refused ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "until",
    [
        datetime(2020, 1, 1, tzinfo=timezone.get_default_timezone()),
        datetime(2999, 1, 1),  # noqa: DTZ001 - naive is what is refused
    ],
)
def test_an_end_must_be_ahead_and_know_its_zone(ada: User, claim: Claim, until: datetime) -> None:
    with watching() as seen, pytest.raises(InvalidGrant) as error:
        grant_role(ada, "approver", on=claim, by=SYSTEM, until=until)
    assert error.value.code == "invalid_grant"
    assert "until" in str(error.value)
    seen.agree(of=0)
    assert not GrantTerm.objects.exists()


def test_an_end_may_be_in_any_zone(ada: User, claim: Claim) -> None:
    from zoneinfo import ZoneInfo

    end = in_a_week().astimezone(ZoneInfo("Pacific/Auckland"))
    event = grant_role(ada, "approver", on=claim, by=SYSTEM, until=end)
    assert event is not None
    event.refresh_from_db()
    assert close(event.until, end)
    assert counts(ada, claim)
