"""Django REST framework, guardian, templates and people are told the same."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.context_processors import PermWrapper
from django.contrib.auth.models import AnonymousUser
from django.http import Http404
from django.template import Context, Template
from guardian.shortcuts import (
    get_objects_for_user,
    get_perms,
    get_users_with_perms,
)

from fsm_lifecycle import CRUD, AccessDenied
from fsm_lifecycle.access import authorize
from fsm_lifecycle.models import LifecycleModel
from tests.access.asking import every_office, people_of, stored
from tests.access.matrix import (
    CRUD_OF,
    Model,
    crud_codename,
    grant,
    new_group,
    new_record,
    new_user,
    plain_codenames,
    roles_among,
    roles_in,
)
from tests.testapp.offices import Binder, Claim, Dossier, Plate

pytestmark = [pytest.mark.once, pytest.mark.django_db]


# --- Django REST framework -------------------------------------------------------------------------------------------

METHODS = {"GET": "view", "POST": "add", "PUT": "change", "PATCH": "change", "DELETE": "delete"}


@every_office
def test_the_permission_class_of_drf_agrees(model: Model) -> None:
    from rest_framework.permissions import DjangoObjectPermissions

    class Permissions(DjangoObjectPermissions):  # type: ignore[misc]
        perms_map = {**DjangoObjectPermissions.perms_map, "GET": ["%(app_label)s.view_%(model_name)s"]}

    world, permissions = people_of(model, "manager"), Permissions()
    view = SimpleNamespace(queryset=model._default_manager.all())
    flags = {method: CRUD_OF[verb] for method, verb in METHODS.items()}
    for person in world.people:
        for method, flag in flags.items():
            codename = crud_codename(model, flag)
            request = SimpleNamespace(user=person.user, method=method)
            told = (person.name, method)
            assert permissions.has_permission(request, view) is (codename in person.everywhere), told
            assert on_object(permissions, request, view, world.record) is (codename in person.here), told
            assert on_object(permissions, request, view, world.other) is (codename in person.everywhere), told


def on_object(permissions: Any, request: Any, view: Any, record: LifecycleModel) -> bool:
    try:
        return bool(permissions.has_object_permission(request, view, record))
    except Http404:  # DRF hides from people what they may not read
        return False


# --- guardian --------------------------------------------------------------------------------------------------------


@every_office
def test_guardians_own_functions_agree_about_roles(model: Model) -> None:
    """About events and CRUD they cannot: what a role means is in the table, which they do not know."""
    world = people_of(model, "owner")
    for person in world.people:
        user = person.user
        if not user.is_authenticated or user.is_superuser or not user.is_active:
            continue
        if "expired" in person.name or "delegate" in person.name:
            continue  # of terms and delegations guardian knows nothing
        assert all(name.startswith("role_") for name in get_perms(user, world.record)), person.name
        assert roles_among(get_perms(user, world.record)) <= roles_among(person.here), person.name
        if person.everywhere == frozenset():
            assert roles_among(get_perms(user, world.record)) == roles_among(person.here), person.name
            assert get_perms(user, world.other) == [], person.name
        for role in roles_in(model)[:2]:
            # Without the app: four models of it have roles of these names, and guardian takes the first it finds.
            found = get_objects_for_user(user, f"role_{role}", klass=model._default_manager.all())
            mine = {r.pk for r in found if r.pk in (world.record.pk, world.other.pk)}
            expected = {
                record.pk
                for record, may in ((world.record, person.here), (world.other, person.everywhere))
                if f"role_{role}" in may
            }
            assert mine == expected, (person.name, role)


def test_guardian_lists_the_holders_of_a_role_on_a_record() -> None:
    for model in (Claim, Dossier, Plate, Binder):
        role = roles_in(model)[0]
        record, one, two, other = new_record(model), new_user(), new_user(), new_user()
        grant(one, role, record)
        grant(new_group(two), role, record)
        grant(other, role, model)
        listed: Any = get_users_with_perms(record, attach_perms=True)
        assert {user: list(perms) for user, perms in listed.items()} == {
            one: [f"role_{role}"],
            two: [f"role_{role}"],
        }


# --- without a record ------------------------------------------------------------------------------------------------


@every_office
def test_templates_are_told_what_one_may_to_all_records(model: Model) -> None:
    world = people_of(model, "manager")
    names = sorted(name for name in plain_codenames(model) if not name.startswith("role_"))
    source = "".join("{% if perms.testapp." + name + " %}" + name + " {% endif %}" for name in names)
    template = Template(source)
    for person in world.people:
        shown = template.render(Context({"perms": PermWrapper(person.user)}))
        assert frozenset(shown.split()) == person.everywhere & frozenset(names), person.name
        if person.everywhere:
            assert Template("{% if perms.testapp %}yes{% endif %}").render(
                Context({"perms": PermWrapper(person.user)})
            )


# --- what people are told --------------------------------------------------------------------------------------------


@every_office
def test_a_denial_names_the_event_the_roles_and_the_kind_of_record(model: Model) -> None:
    """The event by ``name``: the reason stands beside the event's button."""
    record, holder = new_record(model), new_user("Zachariah", email="zach@example.org")
    for role in roles_in(model):
        grant(holder, role, record)
    user = new_user("alice")
    for event in model.lifecycle.events.values():
        needed = [
            role for role in model.lifecycle.roles.values() if event.name in {str_name(e) for e in role.may}
        ]
        denial = record.decide(event, user).denials[0]
        assert (denial.code, denial.name) == ("access_denied", event.name)
        told = denial.reason
        assert str(model._meta.verbose_name) in told.lower()
        for missing in needed:
            assert missing.label in told
        assert "zach" not in told.lower()
        assert str(record) not in told
        with pytest.raises(AccessDenied) as caught:
            stored(record).fire(event, actor=user)
        assert caught.value.decision is not None
        assert caught.value.decision.denials[0] == denial


def str_name(event: Any) -> str:
    return event if isinstance(event, str) else str(event.name)


def test_a_denial_of_crud_names_the_kind_of_record_and_nobody() -> None:
    claim, holder, user = new_record(Claim), new_user("Zachariah"), new_user("alice")
    grant(holder, "manager", claim)
    asks: list[Callable[[], None]] = [
        lambda: authorize(user, CRUD.UPDATE, claim),
        lambda: authorize(user, CRUD.CREATE, Claim),
    ]
    for ask in asks:
        with pytest.raises(AccessDenied) as caught:
            ask()
        assert caught.value.code == "access_denied"
        assert "claim" in str(caught.value).lower()
        assert "zach" not in str(caught.value).lower()


def test_the_deactivated_and_the_anonymous_are_told_so() -> None:
    claim, gone = new_record(Claim), new_user("gone", is_active=False)
    assert "deactivated" in claim.decide("examine", gone).denials[0].reason
    assert "Log in" in claim.decide("examine", AnonymousUser()).denials[0].reason
