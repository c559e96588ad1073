"""Roles, grants and their events are those of the database in which users and records live."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, Permission, User

from fsm_lifecycle import System, acting_as
from fsm_lifecycle.access import grant_role, roles_of
from fsm_lifecycle.models import AccessEvent
from tests.access.roads.command import run
from tests.access.roads.stored import again, permission, reconcile, role_group, watching
from tests.acting import statements
from tests.testapp.offices import Claim

pytestmark = [pytest.mark.once, pytest.mark.django_db(databases=["default", "other"])]

SYSTEM = System("tests")


def test_the_other_database_has_them_too() -> None:
    assert role_group("approver", using="other").permissions.get() == permission(
        "role_approver", using="other"
    )


def test_sync_in_the_other_database_leaves_the_default_one_alone() -> None:
    Group.objects.using("other").get(name="testapp.claim:approver").delete()
    Permission.objects.using("other").filter(codename="role_cashier").delete()
    with statements() as sent:
        run("--sync", database="other")
    assert [statement for statement in sent if not statement.lstrip().startswith("SELECT")] == []
    assert role_group("approver", using="other").permissions.get().codename == "role_approver"
    assert role_group("cashier", using="other").permissions.get().codename == "role_cashier"


def test_grants_in_the_other_database_are_told_there() -> None:
    there = User.objects.using("other").create(username="ada")
    with acting_as(SYSTEM):
        claim = Claim.objects.using("other").create()
    before = AccessEvent.objects.count()
    with watching("other") as seen:
        there.groups.add(role_group("approver", using="other"))
        there.user_permissions.add(permission("fire_pay", using="other"))
        grant_role(there, "auditor", on=claim, by=SYSTEM)
    seen.agree(of=3)
    assert roles_of(again(there), on=claim) == {"approver", "auditor"}
    assert list(Claim.objects.using("other").visible_to(again(there))) == [claim]
    with watching("other") as seen:
        there.delete()
    seen.agree(of=3)
    assert AccessEvent.objects.count() == before


def test_deleting_a_record_in_the_other_database_takes_its_grants_there() -> None:
    here, there = User.objects.create(username="ada"), User.objects.using("other").create(username="ada")
    with acting_as(SYSTEM):
        twin, claim = Claim.objects.create(pk=77), Claim.objects.using("other").create(pk=77)
    grant_role(here, "auditor", on=twin, by=SYSTEM)
    grant_role(there, "auditor", on=claim, by=SYSTEM)
    with watching("other") as seen, watching() as untouched:
        claim.delete()
    seen.agree(of=1)
    untouched.agree(of=0)


def test_the_default_role_is_granted_in_the_records_database() -> None:
    there = User.objects.using("other").create(username="ada")
    with watching("other") as seen, watching() as untouched:
        claim = Claim.objects.using("other").create(created_by=there)
    seen.agree(of=1)
    untouched.agree(of=0)
    assert roles_of(again(there), on=claim) == {"owner"}


def test_reconciling_the_other_database() -> None:
    there = User.objects.using("other").create(username="ada")
    with watching("other") as seen:
        User.groups.through.objects.using("other").create(
            user_id=there.pk, group_id=role_group("approver", using="other").pk
        )
        reconcile("other")
    seen.agree(of=1)
    with watching("other") as seen:
        reconcile("other")
    assert seen.events == []
