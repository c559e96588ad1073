"""Processes that grant, revoke, delete and fire at once: what is stored and what is told stay the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Group, User
from django.db import connection, transaction
from django.utils import timezone
from guardian import shortcuts
from guardian.models import GroupObjectPermission, UserObjectPermission

from fsm_lifecycle import System, acting_as
from fsm_lifecycle.access import delegate, grant_role, roles_of
from fsm_lifecycle.ledger import protection
from fsm_lifecycle.models import AccessEvent, Delegation, GrantTerm
from tests.access.roads.stored import Grant, events, folded, last, permission, reconcile, role_group, stored
from tests.concurrency import granting
from tests.concurrency.racers import COUNT, Racers
from tests.testapp.offices import BinderGroupPermission, BinderUserPermission, Claim

SYSTEM = System("tests")


def empty_grants() -> None:
    """Nobody holds anything, and nothing was told. Groups of roles and permissions stay, as on a real site."""
    own = Group.objects.exclude(name__contains=":").values_list("pk", flat=True)
    tables: list[Any] = [
        User.groups.through,
        User.user_permissions.through,
        UserObjectPermission,
        GroupObjectPermission,
        BinderUserPermission,
        BinderGroupPermission,
        GrantTerm,
        Delegation,
        AccessEvent,
    ]
    with (
        transaction.atomic(),
        protection.gate(connection, "delete"),
        connection.constraint_checks_disabled(),
        connection.cursor() as cursor,
    ):
        for model in tables:
            cursor.execute(f"DELETE FROM {connection.ops.quote_name(model._meta.db_table)}")
        Group.permissions.through.objects.filter(group_id__in=list(own))._raw_delete("default")
        Group.objects.filter(pk__in=list(own))._raw_delete("default")
        User.objects.all()._raw_delete("default")


@pytest.fixture(autouse=True)
def _no_grants(racers: Racers) -> Iterator[None]:
    empty_grants()
    yield
    Claim.objects.all()._raw_delete("default")
    empty_grants()


@pytest.fixture
def ada() -> User:
    return User.objects.create(username="ada")


def users(count: int) -> list[tuple[str, int]]:
    found = User.objects.bulk_create(User(username=f"user {number}") for number in range(count))
    return [("user", user.pk) for user in User.objects.filter(username__in=[u.username for u in found])]


def groups(count: int) -> list[tuple[str, int]]:
    return [("group", Group.objects.create(name=f"group {number}").pk) for number in range(count)]


def claims(count: int) -> list[int]:
    with acting_as(SYSTEM):
        return [claim.pk for claim in Claim.objects.bulk_create(Claim() for _ in range(count))]


def assert_no_raw(results: list[list[str]]) -> Counter[str]:
    """Nobody saw a bare error of the database."""
    said = Counter(answer for result in results for answer in result)
    assert not [answer for answer in said if "raw" in answer], said
    return said


def assert_told(start: Counter[Grant], mark: int) -> None:
    """What is stored is what the events add up to, and reconciling finds nothing."""
    assert folded(start, after=mark) == stored()
    newest = last()
    reconcile()
    assert last() == newest


# --- granting -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how_many", [2, COUNT])
@pytest.mark.parametrize("kind", ["user", "group"])
@pytest.mark.parametrize("wide", [True, False])
def test_the_same_role_granted_at_once_is_one_grant_and_one_event(
    racers: Racers, how_many: int, kind: str, wide: bool
) -> None:
    holders = users(10) if kind == "user" else groups(10)
    on = None if wide else claims(1)[0]
    start, mark = stored(), last()
    results = racers.race(granting.grant_each, holders, on, "approver", how_many)
    assert assert_no_raw(results) == {"event": 10, "nothing": 10 * (how_many - 1)}
    assert len(events(after=mark)) == (stored() - start).total() == 10
    assert_told(start, mark)


def test_the_same_role_with_the_same_end_is_told_once(racers: Racers) -> None:
    holders, (on,) = users(10), claims(1)
    start, mark = stored(), last()
    end = timezone.now() + timedelta(days=1)
    results = racers.race(granting.grant_each, holders, on, "approver", COUNT, until=end)
    assert assert_no_raw(results) == {"event": 10, "nothing": 10 * (COUNT - 1)}
    assert GrantTerm.objects.count() == 10
    assert_told(start, mark)


@pytest.mark.parametrize("kind", ["user", "group"])
@pytest.mark.parametrize("wide", [True, False])
def test_granting_and_revoking_at_once_leaves_what_was_told_last(
    racers: Racers, kind: str, wide: bool
) -> None:
    holders = users(3) if kind == "user" else groups(3)
    on = None if wide else claims(1)[0]
    start, mark = stored(), last()
    said = assert_no_raw(racers.race(granting.grant_or_revoke, holders, on, "approver", 6))
    assert said["event"] == len(events(after=mark))
    for _, key in holders:
        told = [event.action for event in events(after=mark) if str(event.holder_id) == str(key)]
        # One after the other: nobody gets twice what was not lost between.
        assert told == [("granted", "revoked")[number % 2] for number in range(len(told))]
    assert_told(start, mark)


def test_djangos_and_guardians_own_functions_at_once(racers: Racers, ada: User) -> None:
    (record,) = claims(1)
    start, mark = stored(), last()
    assert_no_raw(racers.race(granting.add_or_remove, ada.pk, role_group("approver").pk, record, 8))
    newest = last()
    reconcile()
    # What two of them did to one row in the same moment may be told late, but then it is told.
    assert folded(start, after=mark) == stored()
    reconcile()
    assert last() - newest <= 4


# --- deleting -----------------------------------------------------------------------------------------------------


def test_a_record_deleted_while_roles_are_granted_leaves_no_grant(racers: Racers, ada: User) -> None:
    records = claims(15)
    start, mark = stored(), last()
    said = assert_no_raw(racers.race(granting.grant_or_delete, ada.pk, records))
    assert not Claim.objects.exists()
    assert not UserObjectPermission.objects.exists()
    assert set(said) <= {"event", "nothing", "InvalidGrant", "StaleState"} | {
        f"deleted {answer}" for answer in ("event", "nothing", "StaleState")
    }
    assert_told(start, mark)


def test_a_user_deleted_while_roles_are_granted_leaves_no_grant(racers: Racers) -> None:
    keys = [key for _, key in users(15)]
    (record,) = claims(1)
    start, mark = stored(), last()
    said = assert_no_raw(racers.race(granting.grant_or_delete_holder, keys, record))
    assert set(said) <= {"event", "nothing", "InvalidGrant", "deleted", "IntegrityError", "OperationalError"}
    assert_told(start, mark)
    # Whose deletion was refused is still there, with what was granted.
    left = User.objects.filter(pk__in=keys)
    assert left.count() == len(keys) - said["deleted"]
    left.delete()
    assert not UserObjectPermission.objects.exists()
    assert_told(start, mark)


# --- firing -------------------------------------------------------------------------------------------------------

WAYS = ["role on the record", "role on all", "membership", "guardian", "permission", "account", "delegation"]


@pytest.mark.parametrize("way", WAYS)
def test_a_right_that_another_process_takes_between_decision_and_firing_is_gone(
    racers: Racers, ada: User, way: str
) -> None:
    records = claims(1 if way in ("account", "delegation", "role on all", "membership", "permission") else 5)
    for claim in Claim.objects.filter(pk__in=records):
        if way in ("role on the record", "guardian"):
            grant_role(ada, "approver", on=claim, by=SYSTEM)
    if way in ("role on all", "membership", "account"):
        grant_role(ada, "approver", on=Claim, by=SYSTEM)
    elif way == "permission":
        ada.user_permissions.add(permission("role_approver"))
    elif way == "delegation":
        bob = User.objects.create(username="bob")
        grant_role(bob, "approver", on=Claim, by=SYSTEM)
        delegate(bob, ada, until=timezone.now() + timedelta(days=1), by=bob)
    answers = racers.race(granting.decide_then_fire, ada.pk, records, way)[0]
    assert answers == [(True, "access_denied")] * len(records)
    assert set(Claim.objects.values_list("state", flat=True)) == {"filed"}


def test_a_right_that_ends_between_decision_and_firing_is_gone(ada: User) -> None:
    claim = Claim.objects.get(pk=claims(1)[0])
    end = timezone.now() + timedelta(days=1)
    grant_role(ada, "approver", on=claim, by=SYSTEM, until=end)
    assert claim.decide("reject", actor=ada)
    with time_machine.travel(end):
        assert granting.fired(claim, ada) == "access_denied"


def test_a_right_that_another_process_gives_counts_for_firing_at_once(racers: Racers, ada: User) -> None:
    (key,) = claims(1)
    claim = Claim.objects.get(pk=key)
    assert not claim.decide("reject", actor=ada)
    assert racers.one(grant_alone, ada.pk, key) == "event"
    assert granting.fired(claim, ada) == ""


def grant_alone(user: int, key: int) -> str:
    """In another process."""
    who, claim = User.objects.get(pk=user), Claim.objects.get(pk=key)
    return granting.tried(lambda: grant_role(who, "approver", on=claim, by=SYSTEM))


# --- delegations, syncing, reconciling ----------------------------------------------------------------------------


def test_delegations_written_and_revoked_at_once_are_told_once_each(racers: Racers, ada: User) -> None:
    bob = User.objects.create(username="bob")
    end = timezone.now() + timedelta(days=1)
    said = assert_no_raw(racers.race(granting.delegate_each, ada.pk, bob.pk, end, 6))
    assert set(said) <= {"event", "nothing", "InvalidGrant"}
    told = Counter(AccessEvent.objects.values_list("action", flat=True))
    assert told["delegated"] - told["undelegated"] == Delegation.objects.count()


def test_eight_machines_that_sync_at_once_make_each_thing_once(racers: Racers) -> None:
    role_group("approver").delete()
    permission("role_cashier").delete()
    permission("fire_pay").delete()
    assert_no_raw(racers.race(granting.sync_all))
    assert role_group("approver").permissions.get() == permission("role_approver")
    assert role_group("cashier").permissions.get() == permission("role_cashier")
    assert permission("fire_pay")


def test_eight_reconciliations_at_once_tell_each_thing_once(racers: Racers, ada: User) -> None:
    keys = claims(5)
    assign: Any = shortcuts.assign_perm
    assign("role_approver", ada, Claim.objects.filter(pk__in=keys))
    User.groups.through.objects.create(user_id=ada.pk, group_id=role_group("auditor").pk)
    bob = User.objects.create(username="bob")
    grant_role(bob, "approver", on=Claim, by=SYSTEM, until=timezone.now() + timedelta(days=1))
    GrantTerm.objects.update(until=timezone.now())  # its time is over for the other processes, too
    mark = last()
    assert_no_raw(racers.race(granting.reconcile_all))
    told = Counter((event.action, event.holder_label) for event in events(after=mark))
    assert told == {("granted", "ada"): 6, ("expired", "bob"): 1}
    assert roles_of(ada, on=Claim) == {"auditor"}
