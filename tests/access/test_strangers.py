"""What is held on one model or record is worth nothing on another, whatever the names and keys have in common."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from guardian.shortcuts import (
    get_user_perms,
)

from fsm_lifecycle import CRUD
from tests.access.asking import authorized, decided, permission, said
from tests.access.matrix import (
    CRUD_OF,
    NOTHING,
    all_codenames,
    grant,
    meaning,
    new_group,
    new_record,
    new_user,
    roles_in,
)
from tests.testapp.offices import Binder, Claim, Dossier, Plate, UrgentClaim

pytestmark = pytest.mark.django_db


# --- nobody else -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("on_record", [False, True])
def test_roles_of_the_same_name_on_another_model_are_worth_nothing(on_record: bool) -> None:
    claim, dossier, plate = new_record(Claim), new_record(Dossier), new_record(Plate)
    user = new_user()
    for role in roles_in(Claim):
        grant(user, role, claim if on_record else Claim)
    user = User.objects.get(pk=user.pk)
    assert said(user, all_codenames(Claim), claim) >= meaning(Claim, "manager")
    for stranger in (dossier, plate):
        assert said(user, all_codenames(type(stranger)), stranger) == NOTHING
        assert decided(user, stranger) == NOTHING
        assert not any(authorized(user, flag, stranger) for flag in CRUD_OF.values())


@pytest.mark.parametrize("group", [False, True])
def test_a_record_of_another_model_with_the_same_key_gets_nothing(group: bool) -> None:
    """guardian keeps keys as text: only the content type tells records of two models apart."""
    claim = new_record(Claim)
    plate = Plate.objects.create(code=str(claim.pk))
    binder = Binder.objects.create(pk=claim.pk, title="The same number")
    holder: User = new_user()
    grant(new_group(holder) if group else holder, "manager", claim)
    assert said(holder, all_codenames(Plate), plate) == NOTHING
    assert said(holder, all_codenames(Binder), binder) == NOTHING
    assert not Plate.objects.visible_to(holder).exists()
    assert not Binder.objects.visible_to(holder).exists()
    assert list(Claim.objects.visible_to(holder)) == [claim]


def test_text_keys_that_differ_by_case_accent_or_blank_are_different_records() -> None:
    codes = ["a", "a b", "b", "1", "01", "%", "_"]
    if connection.vendor != "mysql":  # there they are one key
        codes += ["A", "a ", "á"]
    for code in codes:
        Plate.objects.create(code=code)
    for code in codes:
        user, plate = new_user(), Plate.objects.get(code=code)
        grant(user, "manager", plate)
        assert [p.code for p in Plate.objects.all() if user.has_perm("testapp.view_plate", p)] == [code]
        assert [p.code for p in Plate.objects.visible_to(user)] == [code]
        assert [p.code for p in Plate.objects.all() if p.can_fire("examine", user)] == [code]


def test_a_users_key_that_is_also_a_groups_key_means_two_holders() -> None:
    claim = new_record(Claim)
    group = Group.objects.create(name="A group that nobody is in")
    user = User.objects.filter(pk=group.pk).first() or User.objects.create(pk=group.pk, username="twin")
    grant(group, "manager", Claim)
    grant(group, "manager", claim)
    assert said(user, all_codenames(Claim), claim) == NOTHING


def test_a_group_of_the_same_name_is_not_the_role() -> None:
    """Roles are found by permission, never by a group's name."""
    claim, user = new_record(Claim), new_user()
    permission(Claim, "role_manager").group_set.clear()
    for name in ("testapp.claim:manager", "testapp.Claim:manager", "manager"):
        Group.objects.get_or_create(name=name)[0].user_set.add(user)
    assert said(User.objects.get(pk=user.pk), all_codenames(Claim), claim) == NOTHING


def test_the_group_of_a_role_may_be_renamed() -> None:
    claim, user = new_record(Claim), new_user()
    permission(Claim, "role_auditor").group_set.update(name="Inspectors")
    grant(user, "auditor", Claim)
    assert said(user, all_codenames(Claim), claim) == meaning(Claim, "auditor")
    assert not Group.objects.filter(name="testapp.claim:auditor").exists()


# --- proxies ---------------------------------------------------------------------------------------------------------


def test_a_role_given_on_a_model_counts_for_its_proxy_and_the_other_way_round() -> None:
    for given, asked in ((Claim, UrgentClaim), (UrgentClaim, Claim)):
        of_all, of_one = new_user(), new_user()
        made = new_record(given)
        grant(of_all, "examiner", given)
        grant(of_one, "examiner", made)
        record = asked._default_manager.get(pk=made.pk)
        for user in (of_all, of_one):
            assert said(user, all_codenames(asked), record) == meaning(asked, "examiner")
            rows: Any = asked._default_manager.filter(pk=made.pk)
            assert list(rows.visible_to(user)) == [record]


def test_a_role_that_only_the_proxy_declares_is_worth_nothing_on_its_parent() -> None:
    user, urgent = new_user(), new_record(UrgentClaim)
    grant(user, "courier", urgent)
    claim = Claim.objects.get(pk=urgent.pk)
    assert decided(user, urgent) == {"fire_hurry"}
    assert UrgentClaim.objects.visible_to(user).count() == 1
    assert decided(user, claim) == NOTHING
    assert Claim.objects.visible_to(user).count() == 0


def test_the_names_that_django_makes_for_a_proxy_are_answered_too() -> None:
    """DRF and the admin ask for ``view_urgentclaim``, from the proxy's own name."""
    urgent, user, other = new_record(UrgentClaim), new_user(), new_user()
    grant(user, "courier", urgent)
    for verb, flag in CRUD_OF.items():
        assert user.has_perm(f"testapp.{verb}_urgentclaim", urgent) is (flag is CRUD.READ)
        assert not other.has_perm(f"testapp.{verb}_urgentclaim", urgent)


# --- what is stored --------------------------------------------------------------------------------------------------


def test_what_a_role_means_is_not_stored_with_its_holders() -> None:
    """Changing a role in the table therefore changes everyone who has it at once."""
    group = permission(Claim, "role_examiner").group_set.get()
    assert [p.codename for p in group.permissions.all()] == ["role_examiner"]
    assert group.name == "testapp.claim:examiner"
    user, claim = new_user(), new_record(Claim)
    grant(user, "examiner", Claim)
    grant(user, "examiner", claim)
    assert user.user_permissions.count() == 0
    assert list(user.groups.all()) == [group]
    assert list(get_user_perms(user, claim)) == ["role_examiner"]


def test_every_role_has_one_group_and_every_name_one_permission() -> None:
    for model in (Claim, Dossier, Plate, Binder):
        content_type = ContentType.objects.get_for_model(model)
        stored = list(Permission.objects.filter(content_type=content_type).values_list("codename", flat=True))
        assert len(stored) == len(set(stored))
        assert set(stored) >= all_codenames(model)
    of_proxy = list(Permission.objects.filter(codename__in=["fire_hurry", "role_courier"]))
    assert {p.content_type for p in of_proxy} == {ContentType.objects.get_for_model(Claim)}
    assert len(of_proxy) == 2
