"""The authentication backend: what it answers, and what it leaves to others."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import get_backends
from django.contrib.auth.decorators import permission_required
from django.contrib.auth.models import AnonymousUser, Group, Permission, User
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.test import Client, RequestFactory
from guardian.exceptions import WrongAppError
from guardian.shortcuts import (
    assign_perm,
    get_perms,
)

from fsm_lifecycle.access import LifecycleBackend, who_can
from fsm_lifecycle.models import LifecycleModel
from tests.access.asking import again
from tests.access.matrix import (
    Model,
    all_codenames,
    grant,
    meaning,
    new_group,
    new_record,
    new_user,
    populate,
    roles_in,
)
from tests.testapp.models import Invoice, Light
from tests.testapp.offices import Binder, Claim, Dossier, Duty, Plate

pytestmark = [pytest.mark.once, pytest.mark.django_db]

OURS = "fsm_lifecycle.access.LifecycleBackend"

storages = pytest.mark.parametrize("model", [Claim, Dossier, Plate, Binder], ids=lambda m: m.__name__)


# --- where it stands -------------------------------------------------------------------------------------------------


def test_it_stands_first() -> None:
    assert isinstance(get_backends()[0], LifecycleBackend)
    assert [type(backend).__name__ for backend in get_backends()] == [
        "LifecycleBackend",
        "ModelBackend",
        "ObjectPermissionBackend",
    ]


@pytest.mark.urls("tests.access.urls")
def test_people_who_are_logged_in_by_force_stay_logged_in(client: Client) -> None:
    client.force_login(new_user("alice"))
    assert client.get("/show/").content.startswith(b"alice")
    assert client.get("/show/").content.startswith(b"alice")


@pytest.mark.urls("tests.access.urls")
def test_people_log_in_with_their_password(client: Client) -> None:
    User.objects.create_user("alice", password="a long secret")
    assert not client.login(username="alice", password="wrong")
    assert client.login(username="alice", password="a long secret")
    assert client.get("/show/").content == b"alice"
    client.logout()
    assert client.get("/show/").content != b"alice"


@pytest.mark.urls("tests.access.urls")
def test_people_who_are_logged_in_async_stay_logged_in(async_client: Any) -> None:
    user = new_user("alice")
    async_to_sync(async_client.aforce_login)(user)
    assert async_to_sync(async_client.get)("/async/show/").content.startswith(b"alice")


# --- model-wide ------------------------------------------------------------------------------------------------------


def test_without_a_record_it_answers_for_all_records() -> None:
    of_all, of_one, claim = new_user(), new_user(), new_record(Claim)
    grant(of_all, "examiner", Claim)
    grant(of_one, "examiner", claim)
    of_all, of_one = again(of_all), again(of_one)
    for name in ("fire_examine", "view_claim", "role_examiner"):
        assert of_all.has_perm(f"testapp.{name}")
        assert not of_one.has_perm(f"testapp.{name}")
        assert of_one.has_perm(f"testapp.{name}", claim)
    assert not of_all.has_perm("testapp.change_claim")
    assert not of_all.has_perm("testapp.fire_refile")


def test_of_a_name_that_models_share_those_with_roles_decide() -> None:
    """Django tells permissions by app and codename: ``testapp.fire_pay`` is of invoices, which have no roles, too."""
    user, invoice, claim = new_user(), Invoice.objects.create(), new_record(Claim)
    assert not user.has_perm("testapp.fire_pay")
    assert user.has_perm("testapp.fire_pay", invoice)
    assert not user.has_perm("testapp.fire_pay", claim)
    grant(user, "cashier", Claim)
    assert again(user).has_perm("testapp.fire_pay")
    assert again(user).has_perm("testapp.fire_pay", claim)


def test_lists_of_permissions_are_answered() -> None:
    user, claim = new_user(), new_record(Claim)
    grant(user, "examiner", claim)
    assert user.has_perms(["testapp.fire_examine", "testapp.view_claim"], claim)
    assert not user.has_perms(["testapp.fire_examine", "testapp.fire_approve"], claim)
    assert not user.has_perms(["testapp.fire_examine"])
    assert async_to_sync(user.ahas_perms)(["testapp.fire_examine", "testapp.view_claim"], claim)
    assert not async_to_sync(user.ahas_perms)(["testapp.fire_examine", "testapp.fire_pay"], claim)


def test_the_decorator_for_views_is_answered(rf: RequestFactory) -> None:
    @permission_required("testapp.fire_examine", raise_exception=True)
    def view(request: Any) -> HttpResponse:
        return HttpResponse("examined")

    def ask(user: Any) -> HttpResponse:
        request = rf.get("/")
        request.user = user
        return view(request)

    user, group_member = new_user(), new_user()
    for nobody in (user, AnonymousUser(), new_user(is_active=False)):
        with pytest.raises(PermissionDenied):
            ask(nobody)
    grant(user, "examiner", Claim)
    grant(new_group(group_member), "manager", Claim)
    for somebody in (user, group_member, new_user(is_superuser=True)):
        assert ask(again(somebody)).content == b"examined"


def test_all_permissions_are_listed_with_what_roles_mean() -> None:
    user = new_user()
    assert not {p for p in user.get_all_permissions() if p.endswith("_claim")}
    grant(user, "examiner", Claim)
    listed = again(user).get_all_permissions()
    assert {f"testapp.{name}" for name in meaning(Claim, "examiner")} <= listed
    assert "testapp.change_claim" not in listed
    for name in listed:
        assert user.has_perm(name), name
    assert new_user(is_active=False).get_all_permissions() == set()
    assert AnonymousUser().get_all_permissions() == set()


@storages
def test_all_permissions_on_a_record_are_those_it_answers_yes_to(model: Model) -> None:
    role = roles_in(model)[0]
    user, record = new_user(), new_record(model)
    grant(user, role, record)
    own = {f"testapp.{name}" for name in all_codenames(model)}
    listed = {p for p in again(user).get_all_permissions(record) if p in own}
    assert listed == {f"testapp.{name}" for name in meaning(model, role)}
    assert {p for p in again(user).get_all_permissions(new_record(model)) if p in own} == set()


def test_the_app_is_shown_to_who_may_do_something_in_it() -> None:
    """The testapp has models without roles, in which every active user may do something; helpdesk has its own."""
    user = new_user()
    grant(user, "auditor", Claim)
    assert again(user).has_module_perms("testapp")
    assert new_user().has_module_perms("testapp")
    assert new_user(is_superuser=True).has_module_perms("testapp")
    for nobody in (AnonymousUser(), new_user(is_active=False), new_user(is_superuser=True, is_active=False)):
        assert not nobody.has_module_perms("testapp")
    for label in ("auth", "sessions", "nowhere", "guardian"):
        assert not again(user).has_module_perms(label), label
    assert async_to_sync(again(user).ahas_module_perms)("testapp")


def test_users_with_a_permission_are_found() -> None:
    one, two, three = new_user(), new_user(), new_user()
    root = new_user(is_superuser=True)
    grant(one, "examiner", Claim)
    grant(new_group(two), "manager", Claim)
    grant(three, "cashier", Claim)
    found = set(User.objects.with_perm("testapp.fire_examine", backend=OURS))
    assert found == {one, two, root} == set(who_can("examine", on=Claim))
    assert set(User.objects.with_perm("testapp.fire_examine", backend=OURS, include_superusers=False)) == {
        one,
        two,
    }


# --- what it leaves to others ----------------------------------------------------------------------------------------


def test_other_models_are_answered_by_django_and_guardian() -> None:
    group, other = Group.objects.create(name="One"), Group.objects.create(name="Other")
    user = new_user()
    assert not user.has_perm("auth.view_group")
    user.user_permissions.add(Permission.objects.get(codename="view_group"))
    assert again(user).has_perm("auth.view_group")
    assert not again(user).has_perm("auth.change_group", group)
    assign_perm("auth.change_group", user, group)
    assert again(user).has_perm("auth.change_group", group)
    assert not again(user).has_perm("auth.change_group", other)
    assert not again(user).has_perm("auth.change_group")
    through = new_user()
    assign_perm("auth.delete_group", new_group(through), group)
    assert again(through).has_perm("auth.delete_group", group)
    assert async_to_sync(again(user).ahas_perm)("auth.view_group")
    assert new_user(is_superuser=True).has_perm("auth.delete_group", group)


def test_a_permission_of_ones_own_on_a_lifecycle_model_is_answered_by_django_and_guardian() -> None:
    """A host's own permission that the table does not know, ``Meta.permissions`` for example."""
    own = Permission.objects.create(
        codename="print_claim", name="Can print", content_type=ContentType.objects.get_for_model(Claim)
    )
    claim, user, of_one = new_record(Claim), new_user(), new_user()
    assert not user.has_perm("testapp.print_claim", claim)
    user.user_permissions.add(own)
    assign_perm(own, of_one, claim)
    assert again(user).has_perm("testapp.print_claim")
    assert again(of_one).has_perm("testapp.print_claim", claim)
    assert not again(of_one).has_perm("testapp.print_claim", new_record(Claim))


def test_a_permission_of_another_model_is_never_held_on_a_record() -> None:
    user = new_user()
    for model in (Claim, Dossier, Plate):
        grant(user, "manager", model)
    user = again(user)
    claim, dossier, duty = new_record(Claim), new_record(Dossier), Duty.objects.create()
    assert not user.has_perm("testapp.view_claim", dossier)
    assert not user.has_perm("testapp.view_dossier", claim)
    assert not user.has_perm("testapp.fire_examine", duty)
    assert not user.has_perm("testapp.fire_do", claim)
    assert not user.has_perm("testapp.fire_hurry", claim)


def test_a_permission_of_another_app_is_never_held_on_a_record() -> None:
    user, claim = new_user(), new_record(Claim)
    grant(user, "manager", claim)
    foreign: list[tuple[str, Any]] = [
        ("auth.view_group", claim),
        ("billing.fire_examine", claim),
        ("nowhere.fire_examine", claim),
        ("auth.view_claim", claim),
        ("testapp.fire_examine", user),
    ]
    for name, record in foreign:
        with suppress(WrongAppError):  # guardian's own error where an app does not fit
            assert not user.has_perm(name, record), name


@pytest.mark.parametrize(
    "name",
    ["fire_examine", "", ".", "testapp.", ".fire_examine", "testapp.fire_", "testapp.fire_dance", "a.b.c"],
)
def test_what_is_no_permission_is_not_held(name: str) -> None:
    user, light = new_user(), Light.objects.create()
    grant(user, "manager", Claim)
    assert not user.has_perm(name)
    assert not AnonymousUser().has_perm(name)
    if name.startswith("testapp."):
        assert not user.has_perm(name, light)


def test_an_unknown_event_of_a_model_without_roles_is_not_held() -> None:
    assert not new_user().has_perm("testapp.fire_dance", Light.objects.create())


def test_a_record_that_was_never_saved_is_nobodys() -> None:
    user, of_all = new_user(), new_user()
    grant(of_all, "manager", Claim)
    new_record(Claim)
    grant(user, "manager", new_record(Claim))
    unsaved: tuple[LifecycleModel, ...] = (Claim(), Dossier(), Plate(), Plate(code="x"))
    for record in unsaved:
        assert not user.has_perm(f"testapp.view_{record._meta.model_name}", record)
        assert [d.code for d in record.decide("examine", user).denials] == ["access_denied"]
        assert record.available_events(user) == []
    assert of_all.has_perm("testapp.view_claim", Claim())
    assert Claim().can_fire("examine", of_all)


def test_the_anonymous_and_the_deactivated_hold_nothing() -> None:
    claim, gone = new_record(Claim), new_user()
    grant(gone, "manager", Claim)
    assign_perm("testapp.view_claim", gone, claim)
    User.objects.filter(pk=gone.pk).update(is_active=False)
    for nobody in (AnonymousUser(), again(gone), new_user(is_superuser=True, is_active=False)):
        for name in all_codenames(Claim):
            assert not nobody.has_perm(f"testapp.{name}", claim), name
            assert not nobody.has_perm(f"testapp.{name}"), name
        assert nobody.get_all_permissions() == set()


@storages
def test_a_grant_that_has_expired_is_not_answered_by_those_behind(model: Model) -> None:
    """guardian knows nothing of terms: its row is still there."""
    world = populate(model, roles=roles_in(model)[:1])
    role = roles_in(model)[0]
    expired = [p for p in world.people if p.name.endswith("expired")]
    assert len(expired) == 4
    rows = [p for p in expired if f"role_{role}" in get_perms(p.user, world.record)]
    assert len(rows) == 2, "the rows of those who held the role on the record"
    for person in expired:
        for name in all_codenames(model):
            assert not person.user.has_perm(f"testapp.{name}", world.record), (person.name, name)
            assert not async_to_sync(person.user.ahas_perm)(f"testapp.{name}", world.record)
        assert not person.user.has_perm(f"testapp.role_{role}"), person.name
        # guardian takes a codename without its app as well.
        assert not person.user.has_perm(f"role_{role}", world.record), person.name
