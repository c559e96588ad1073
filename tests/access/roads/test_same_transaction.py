"""Without its event there is no grant: when the event cannot be written, the grant is not kept either.

These run outside any transaction, as a request without ``ATOMIC_REQUESTS`` does.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection

from fsm_lifecycle import System, acting_as
from fsm_lifecycle.access import grant_role
from fsm_lifecycle.models import AccessEvent
from tests.access.roads.stored import reconcile, role_group, stored, watching
from tests.access.roads.ways import AT_ONCE, WAYS, Cast
from tests.testapp.offices import Binder, Claim, Dossier, Plate

SYSTEM = System("tests")


class _Refused(DatabaseError):
    """What a full disk or a lost connection would say."""


@contextmanager
def refusing_events() -> Iterator[None]:
    """The database takes no access events meanwhile."""
    table = AccessEvent._meta.db_table

    def refuse(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        if table in str(sql) and str(sql).lstrip().upper().startswith("INSERT"):
            raise _Refused(f"{table} is not taking rows")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(refuse):
        yield


@pytest.fixture
def cast(transactional_db: None) -> Cast:
    """One record of each kind, committed."""
    with acting_as(SYSTEM):
        return Cast(
            User.objects.create_user("ada"),
            User.objects.create_user("bob"),
            Group.objects.create(name="Finance"),
            Claim.objects.create(),
            Dossier.objects.create(),
            Plate.objects.create(code="a"),
            Binder.objects.create(),
        )


def test_no_road_keeps_a_grant_without_its_event(cast: Cast) -> None:
    failures = []
    # A row that a program saves itself, outside any transaction, is committed before anybody hears of it.
    own = {"guardian's rows, one by one", "guardian's rows, a queryset"}
    for name in AT_ONCE:
        way = WAYS[name]
        for verb, act in (("give", way.give), ("take", way.take)):
            if verb == "give" and name in own:
                act(cast)
                continue
            before = stored()
            with refusing_events():
                try:
                    act(cast)
                    failures.append(f"{name}, {verb}: nobody noticed")
                except _Refused:
                    pass
            if stored() != before:
                failures.append(f"{name}, {verb}: the grant changed without an event")
            with watching() as seen:
                act(cast)
            seen.agree(of=way.changes if stored() != before else None)
    assert failures == []


def test_no_deletion_goes_without_its_events(cast: Cast) -> None:
    def fill() -> None:
        cast.ada.groups.add(role_group("approver"), cast.finance)
        grant_role(cast.finance, "approver", on=cast.claim, by=SYSTEM)
        grant_role(cast.ada, "clerk", on=cast.binder, by=SYSTEM)

    fill()
    before = stored()
    for thing in (cast.ada, cast.finance, cast.claim, cast.binder):
        with refusing_events(), pytest.raises(_Refused):
            thing.delete()
        thing.refresh_from_db()
        assert stored() == before


def test_a_creation_whose_default_grant_cannot_be_told_does_not_happen(cast: Cast) -> None:
    with refusing_events(), pytest.raises(_Refused):
        Claim.objects.create(created_by=cast.ada)
    with refusing_events(), pytest.raises(_Refused):
        Claim.objects.bulk_create([Claim(created_by=cast.ada), Claim(created_by=cast.ada)])
    assert list(Claim.objects.all()) == [cast.claim]
    assert not [grant for grant in stored() if grant.permission == "role_owner" and grant.pk]


def test_reconciling_writes_what_it_finds_or_fails(cast: Cast) -> None:
    from tests.access.roads.ways import insert_object

    insert_object(cast.ada, cast.claim, "role_approver")
    with refusing_events(), pytest.raises(CommandError, match="is not taking rows"):
        reconcile()
    with watching() as seen:
        reconcile()
    assert len(seen.events) == 1


def test_emptying_the_database_brings_permissions_and_groups_back(cast: Cast) -> None:
    grant_role(cast.ada, "approver", on=Claim, by=SYSTEM)
    call_command("flush", interactive=False, verbosity=0)
    assert not AccessEvent.objects.exists()
    assert Permission.objects.filter(codename="role_approver", content_type__model="claim").exists()
    group = role_group("approver")
    assert group.permissions.filter(codename="role_approver").exists()
    assert not group.user_set.exists()
    reconcile()
    assert not AccessEvent.objects.exists()
    ada = User.objects.create_user("ada")
    assert grant_role(ada, "approver", on=Claim, by=SYSTEM) is not None
