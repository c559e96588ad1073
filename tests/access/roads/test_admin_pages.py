"""Django's own admin pages for users and groups: what is saved there is told, with the user of the request."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from fsm_lifecycle.access import roles_of
from tests.access.roads.stored import again, permission, role_group, watching
from tests.testapp.offices import Claim

pytestmark = [pytest.mark.once, pytest.mark.django_db]


@pytest.fixture
def browser(client: Client, root: User) -> Client:
    """Root is logged in."""
    client.force_login(root)
    return client


def post(browser: Client, path: str, **fields: Any) -> None:
    """Save a page of the admin; it must be accepted."""
    answer = browser.post(path, fields)
    assert answer.status_code == 302, answer.context["errors"] if answer.context else answer.content


def save_group(browser: Client, group: Group, **fields: Any) -> None:
    post(
        browser, f"/admin/auth/group/{group.pk}/change/", **{"name": group.name, "permissions": [], **fields}
    )


def save_user(browser: Client, user: User, **fields: Any) -> None:
    page: dict[str, Any] = {
        "username": user.username,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "email": user.email,
        "is_active": "on" if user.is_active else "",
        "date_joined_0": user.date_joined.strftime("%Y-%m-%d"),
        "date_joined_1": user.date_joined.strftime("%H:%M:%S"),
        "last_login_0": "",
        "last_login_1": "",
        "groups": [],
        "user_permissions": [],
        **fields,
    }
    post(browser, f"/admin/auth/user/{user.pk}/change/", **{k: v for k, v in page.items() if v != ""})


def test_permissions_on_the_group_page(browser: Client, root: User, finance: Group) -> None:
    kept, added = permission("role_auditor"), permission("role_approver")
    finance.permissions.add(kept)
    with watching() as seen:
        save_group(browser, finance, permissions=[kept.pk, added.pk])
    seen.agree(of=1)
    assert (seen.event.action, seen.event.road, seen.event.role) == ("granted", "permission", "approver")
    assert (seen.event.actor_kind, seen.event.actor_id) == ("user", str(root.pk))
    with watching() as seen:
        save_group(browser, finance, permissions=[])
    seen.agree(of=2)
    assert {event.actor_id for event in seen.events} == {str(root.pk)}


def test_saving_the_group_page_unchanged_says_nothing(browser: Client, finance: Group) -> None:
    finance.permissions.add(permission("role_auditor"))
    with watching() as seen:
        save_group(browser, finance, name="Finances", permissions=[permission("role_auditor").pk])
    seen.agree(of=0)


def test_a_new_group_with_permissions(browser: Client, root: User) -> None:
    with watching() as seen:
        post(
            browser,
            "/admin/auth/group/add/",
            name="Audit",
            permissions=[permission("role_auditor").pk, permission("view_claim").pk],
        )
    seen.agree(of=2)
    assert {(event.holder_label, event.actor_id) for event in seen.events} == {("Audit", str(root.pk))}


def test_groups_on_the_user_page(browser: Client, root: User, ada: User) -> None:
    group = role_group("approver")
    with watching() as seen:
        save_user(browser, ada, groups=[group.pk])
    seen.agree(of=1)
    assert (seen.event.action, seen.event.road) == ("granted", "membership")
    assert (seen.event.actor_kind, seen.event.actor_id, seen.event.actor_label) == (
        "user",
        str(root.pk),
        str(root),
    )
    assert roles_of(again(ada), on=Claim) == {"approver"}
    with watching() as seen:
        save_user(browser, ada, groups=[group.pk])
    seen.agree(of=0)
    with watching() as seen:
        save_user(browser, ada, groups=[])
    seen.agree(of=1)
    assert seen.event.action == "revoked"
    assert roles_of(again(ada), on=Claim) == set()


def test_permissions_on_the_user_page(browser: Client, ada: User) -> None:
    with watching() as seen:
        save_user(
            browser, ada, user_permissions=[permission("fire_approve").pk, permission("role_cashier").pk]
        )
    seen.agree(of=2)
    assert roles_of(again(ada), on=Claim) == {"cashier"}
    with watching() as seen:
        save_user(browser, ada, user_permissions=[permission("fire_approve").pk])
    seen.agree(of=1)


def test_deleting_a_group_on_its_page(browser: Client, root: User, ada: User, bob: User) -> None:
    group = role_group("approver")
    group.user_set.set([ada, bob])
    with watching() as seen:
        post(browser, f"/admin/auth/group/{group.pk}/delete/", post="yes")
    lost = [event for event in seen.events if event.group_id]
    assert {(str(e.holder_id), e.action, e.road, e.actor_id) for e in lost} == {
        (str(user.pk), "revoked", "deletion", str(root.pk)) for user in (ada, bob)
    }
    assert len(lost) == 2


def test_deleting_several_groups_from_the_list(
    browser: Client, root: User, ada: User, bob: User, finance: Group
) -> None:
    audit = Group.objects.create(name="Audit")
    finance.user_set.set([ada, bob])
    audit.user_set.set([ada])
    audit.permissions.add(permission("role_auditor"))
    with watching() as seen:
        post(
            browser,
            "/admin/auth/group/",
            action="delete_selected",
            _selected_action=[finance.pk, audit.pk],
            post="yes",
        )
    seen.agree(of=4)
    assert {event.actor_id for event in seen.events} == {str(root.pk)}


def test_deleting_a_user_on_its_page(browser: Client, root: User, ada: User, finance: Group) -> None:
    ada.groups.add(finance)
    ada.user_permissions.add(permission("role_auditor"))
    with watching() as seen:
        post(browser, f"/admin/auth/user/{ada.pk}/delete/", post="yes")
    seen.agree(of=2)
    assert {(e.road, e.actor_id, e.holder_label) for e in seen.events} == {
        ("deletion", str(root.pk), str(ada))
    }
