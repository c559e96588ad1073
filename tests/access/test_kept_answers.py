"""What is remembered while a request lasts, and what ends that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, Group, Permission, User
from django.contrib.contenttypes.models import ContentType
from guardian.models import UserObjectPermission
from guardian.shortcuts import (
    assign_perm,
    remove_perm,
)

from fsm_lifecycle import CRUD, AccessDenied
from fsm_lifecycle.access import grant_role, revoke_role, who_can
from fsm_lifecycle.access.actors import AgentActor
from tests.access.asking import again, sent_by
from tests.access.conftest import Requesting
from tests.access.matrix import (
    ADMIN,
    events_of,
    grant,
    new_group,
    new_record,
    new_user,
)
from tests.access.roads.moments import has_come, in_a_week
from tests.acting import rolled_back
from tests.testapp.offices import Binder, BinderUserPermission, Claim

pytestmark = [pytest.mark.once, pytest.mark.django_db]


# --- the cache of a request ------------------------------------------------------------------------------------------


def test_in_a_request_what_was_asked_is_not_asked_again(in_a_request: Requesting) -> None:
    user, claim = new_user(), new_record(Claim)
    grant(user, "examiner", claim)
    user = again(user)

    def view() -> tuple[int, int, int]:
        one = Claim.objects.get(pk=claim.pk)
        asks = [
            lambda: one.can_fire("examine", user),
            lambda: [one.can_fire(event, user) for event in events_of(Claim)],
            lambda: user.has_perm("testapp.fire_examine", one),
        ]
        first, second, third = (sent_by(ask) for ask in asks)
        return first, second, third

    first, second, third = in_a_request(user, view)
    assert first <= 2
    assert second <= 1, "the duties"
    assert third == 0


def test_the_cache_ends_with_the_request(in_a_request: Requesting) -> None:
    user, claim = new_user(), new_record(Claim)
    grant(user, "examiner", claim)
    record = Claim.objects.get(pk=claim.pk)
    ask = lambda: record.can_fire("examine", user)  # noqa: E731
    assert in_a_request(user, ask) is True
    _behind_everybodys_back()
    assert in_a_request(again(user), ask) is False
    assert Claim.objects.get(pk=claim.pk).can_fire("examine", again(user)) is False


def _behind_everybodys_back() -> None:
    """As another process would: no signal of ours is sent."""
    rows: Any = UserObjectPermission.objects.all()
    rows._raw_delete(rows.db)


def test_firing_never_uses_the_cache(in_a_request: Requesting) -> None:
    user, claim, later = new_user(), new_record(Claim), new_record(Claim)
    grant(user, "examiner", claim)
    user = again(user)

    def view() -> None:
        record = Claim.objects.get(pk=claim.pk)
        assert record.can_fire("examine", user)
        assert user.has_perm("testapp.fire_examine", record)
        _behind_everybodys_back()
        with pytest.raises(AccessDenied):
            record.fire("examine", actor=user)
        result = Claim.objects.filter(pk=claim.pk).fire("examine", actor=user)
        assert result.succeeded == 0
        # The other way round: what was not yet held is held now.
        other = Claim.objects.get(pk=later.pk)
        assert not other.can_fire("examine", user)
        UserObjectPermission.objects.bulk_create(
            [
                UserObjectPermission(
                    user=user,
                    permission=Permission.objects.get(content_type__model="claim", codename="role_examiner"),
                    content_type=ContentType.objects.get_for_model(Claim),
                    object_pk=str(later.pk),
                )
            ]
        )
        other.fire("examine", actor=user)

    in_a_request(user, view)


def test_firing_sees_that_the_user_was_deactivated_meanwhile() -> None:
    user, root, claim = new_user(), new_user(is_superuser=True), new_record(Claim)
    grant(user, "examiner", claim)
    user, root = again(user), again(root)
    User.objects.filter(pk__in=[user.pk, root.pk]).update(is_active=False)
    assert user.is_active
    for actor in (user, AgentActor("helper", user, None), root, AgentActor("helper", root, None)):
        with pytest.raises(AccessDenied):
            claim.fire("examine", actor=actor)
        assert Claim.objects.fire("examine", actor=actor).succeeded == 0


def test_firing_sees_that_the_superuser_is_none_any_more() -> None:
    root, claim = new_user(is_superuser=True), new_record(Claim)
    root = again(root)
    User.objects.filter(pk=root.pk).update(is_superuser=False)
    with pytest.raises(AccessDenied):
        claim.fire("examine", actor=root)


def by_api(user: User, claim: Claim) -> tuple[Callable[[], Any], Callable[[], Any]]:
    return (
        lambda: grant_role(user, "examiner", on=claim, by=ADMIN),
        lambda: revoke_role(user, "examiner", on=claim, by=ADMIN),
    )


def by_api_at_large(user: User, claim: Claim) -> tuple[Callable[[], Any], Callable[[], Any]]:
    return (
        lambda: grant_role(user, "examiner", on=Claim, by=ADMIN),
        lambda: revoke_role(user, "examiner", on=Claim, by=ADMIN),
    )


def by_membership(user: User, claim: Claim) -> tuple[Callable[[], Any], Callable[[], Any]]:
    group = Group.objects.get(name="testapp.claim:examiner")
    return lambda: user.groups.add(group), lambda: user.groups.clear()


def by_membership_from_the_group(user: User, claim: Claim) -> tuple[Callable[[], Any], Callable[[], Any]]:
    group = new_group()
    grant(group, "examiner", claim)
    return lambda: group.user_set.set([user]), lambda: group.delete()


def by_permission(user: User, claim: Claim) -> tuple[Callable[[], Any], Callable[[], Any]]:
    permission = Permission.objects.get(content_type__model="claim", codename="fire_examine")
    return lambda: user.user_permissions.add(permission), lambda: user.user_permissions.set([])


def by_permission_of_a_group(user: User, claim: Claim) -> tuple[Callable[[], Any], Callable[[], Any]]:
    permission = Permission.objects.get(content_type__model="claim", codename="role_examiner")
    group = new_group(user)
    return lambda: group.permissions.add(permission), lambda: group.permissions.remove(permission)


def by_guardian(user: User, claim: Claim) -> tuple[Callable[[], Any], Callable[[], Any]]:
    return (
        lambda: assign_perm("testapp.role_examiner", user, claim),
        lambda: remove_perm("testapp.role_examiner", user, claim),
    )


def by_deletion_of_rows(user: User, claim: Claim) -> tuple[Callable[[], Any], Callable[[], Any]]:
    return (
        lambda: assign_perm("testapp.fire_examine", user, claim),
        lambda: UserObjectPermission.objects.filter(user=user).delete(),
    )


Change = Callable[[User, Claim], tuple[Callable[[], Any], Callable[[], Any]]]
CHANGES: tuple[Change, ...] = (
    by_api,
    by_api_at_large,
    by_membership,
    by_membership_from_the_group,
    by_permission,
    by_permission_of_a_group,
    by_guardian,
    by_deletion_of_rows,
)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_the_cache_ends_at_once_when_a_grant_changes(change: Change, in_a_request: Requesting) -> None:
    user, claim = again(new_user()), Claim.objects.create()
    give, take = change(user, claim)

    def view() -> list[bool]:
        record = Claim.objects.get(pk=claim.pk)
        answers: list[bool] = []

        def ask() -> None:
            decided = record.can_fire("examine", user)
            assert user.has_perm("testapp.fire_examine", record) is decided
            assert (record in Claim.objects.visible_to(user)) is user.has_perm("testapp.view_claim", record)
            answers.append(decided)

        ask()
        give()
        ask()
        take()
        ask()
        return answers

    assert in_a_request(user, view) == [False, True, False]


def test_the_cache_does_not_outlive_a_grant_that_was_rolled_back(in_a_request: Requesting) -> None:
    user, claim = again(new_user()), new_record(Claim)

    def view() -> list[bool]:
        record = Claim.objects.get(pk=claim.pk)
        answers = [record.can_fire("examine", user)]
        with rolled_back():
            grant(user, "examiner", claim)
            answers.append(record.can_fire("examine", user))
        answers.append(record.can_fire("examine", user))
        return answers

    assert in_a_request(user, view) == [False, True, False]


def test_the_cache_keeps_people_apart(in_a_request: Requesting) -> None:
    one, two, claim = new_user(), new_user(), new_record(Claim)
    grant(one, "examiner", claim)
    one, two = again(one), again(two)

    def view() -> list[bool]:
        record = Claim.objects.get(pk=claim.pk)
        agent = AgentActor("helper", one, frozenset(["reject"]))
        return [
            record.can_fire("examine", one),
            record.can_fire("examine", two),
            record.can_fire("examine", agent),
            record.can_fire("examine", AnonymousUser()),
            record.can_fire("examine", one),
        ]

    assert in_a_request(one, view) == [True, False, False, False, True]


def test_a_grant_that_ends_during_a_request_is_worth_nothing_from_then_on(in_a_request: Requesting) -> None:
    user, claim = again(new_user()), new_record(Claim)

    def view() -> None:
        end = in_a_week()
        grant(user, "examiner", claim, until=end)
        record = Claim.objects.get(pk=claim.pk)
        assert record.can_fire("examine", user)
        has_come(end)
        with pytest.raises(AccessDenied):
            record.fire("examine", actor=user)

    in_a_request(user, view)
    assert not claim.can_fire("examine", user)


def test_deactivating_the_user_ends_what_was_remembered(in_a_request: Requesting) -> None:
    user, claim = new_user(), new_record(Claim)
    grant(user, "examiner", claim)
    user = again(user)

    def view() -> None:
        record = Claim.objects.get(pk=claim.pk)
        assert record.can_fire("examine", user)
        assert user.has_perm("testapp.view_claim", record)
        user.is_active = False
        user.save()
        assert not record.can_fire("examine", user)
        assert not user.has_perm("testapp.view_claim", record)

    in_a_request(user, view)


def test_what_is_asked_outside_a_request_is_not_remembered() -> None:
    """A worker or a shell has no end at which a memory would be dropped."""
    user, claim = new_user(), new_record(Claim)
    grant(user, "examiner", claim)
    user = again(user)
    assert claim.can_fire("examine", user)
    _behind_everybodys_back()
    assert not Claim.objects.get(pk=claim.pk).can_fire("examine", user)
    assert not user.has_perm("testapp.fire_examine", Claim.objects.get(pk=claim.pk))


def test_direct_models_of_guardian_count_without_the_generic_tables() -> None:
    user, binder = new_user(), new_record(Binder)
    grant(user, "clerk", binder)
    assert BinderUserPermission.objects.filter(user=user).count() == 1
    assert UserObjectPermission.objects.count() == 0
    assert user.has_perm("testapp.fire_close", binder)
    assert set(Binder.objects.visible_to(user)) == {binder}
    assert user in who_can(CRUD.UPDATE, on=binder)
