"""The default role: who creates a record holds it there, from the transaction that creates it."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User

from fsm_lifecycle import System, acting_as
from fsm_lifecycle.access import grant_role, revoke_role, roles_of
from fsm_lifecycle.models import TransitionLog
from tests.access.roads.stored import again, reconcile, watching
from tests.acting import rolled_back, statements
from tests.testapp.offices import Appeal, Binder, Claim, Dossier, Duty, Filing, Plate, UrgentClaim

pytestmark = pytest.mark.django_db

SYSTEM = System("tests")


def test_the_creator_that_is_named(ada: User) -> None:
    with watching() as seen:
        claim = Claim.objects.create(created_by=ada)
    seen.agree(of=1)
    event = seen.event
    assert (event.action, event.road, event.role) == ("granted", "default", "owner")
    assert (event.holder_kind, str(event.holder_id)) == ("user", str(ada.pk))
    assert (event.model_label, event.object_pk, event.until) == ("testapp.claim", str(claim.pk), None)
    assert roles_of(again(ada), on=claim) == {"owner"}
    assert claim.can_fire("refile", actor=ada) is False
    assert Claim.objects.visible_to(again(ada)).get() == claim
    assert roles_of(again(ada), on=Claim) == set()


def test_the_current_actor_where_no_creator_is_named(ada: User) -> None:
    with acting_as(ada), watching() as seen:
        claim = Claim.objects.create()
    seen.agree(of=1)
    assert (seen.event.actor_kind, seen.event.actor_id) == ("user", str(ada.pk))
    assert roles_of(again(ada), on=claim) == {"owner"}


def test_the_named_creator_comes_before_the_current_actor(ada: User, bob: User) -> None:
    with acting_as(bob), watching() as seen:
        claim = Claim.objects.create(created_by=ada)
    seen.agree(of=1)
    assert seen.event.actor_id == str(bob.pk)
    assert roles_of(again(ada), on=claim) == {"owner"}
    assert roles_of(again(bob), on=claim) == set()


def test_a_program_can_create_for_somebody(ada: User) -> None:
    with acting_as(System("import")), watching() as seen:
        claim = Claim.objects.create(created_by=ada)
    seen.agree(of=1)
    assert (seen.event.actor_kind, seen.event.actor_id) == ("system", "import")
    assert roles_of(again(ada), on=claim) == {"owner"}


@pytest.mark.parametrize("model", [Dossier, Plate, UrgentClaim])
def test_every_kind_of_key_and_a_proxy(ada: User, model: Any) -> None:
    with acting_as(ada), watching() as seen:
        record = model.objects.create(pk="a") if model is Plate else model.objects.create()
    seen.agree(of=1)
    assert seen.event.object_pk == str(record.pk)
    assert roles_of(again(ada), on=record) == {"owner"}


@pytest.mark.parametrize("named", [True, False], ids=["created_by", "current actor"])
def test_a_child_with_a_table_of_its_own(named: bool, ada: User) -> None:
    with acting_as(System("import") if named else ada), watching() as seen:
        appeal = Appeal.objects.create(**({"created_by": ada} if named else {}))
    seen.agree(of=1)
    assert (seen.event.model_label, seen.event.object_pk) == ("testapp.appeal", str(appeal.pk))
    assert roles_of(again(ada), on=appeal) == {"owner"}
    assert roles_of(again(ada), on=Filing.objects.get(pk=appeal.pk)) == set()
    assert appeal.fire("hear", actor=System("tests")).sequence == 2


def test_an_ordinary_save_of_a_new_instance(ada: User) -> None:
    claim = Claim(title="a")
    claim.created_by = ada
    claim.save()
    assert roles_of(again(ada), on=claim) == {"owner"}


@pytest.mark.parametrize("who", ["system", "anonymous", "nobody"])
def test_nobody_gets_it_where_no_user_creates(who: str, ada: User) -> None:
    with watching() as seen:
        if who == "nobody":
            Claim.objects.create()
            Claim.objects.bulk_create([Claim(), Claim()])
        else:
            with acting_as(SYSTEM if who == "system" else AnonymousUser()):
                Claim.objects.create()
                Claim.objects.bulk_create([Claim(), Claim()])
    seen.agree(of=0)


@pytest.mark.parametrize("model", [Binder, Duty])
def test_a_table_without_a_default_role_grants_nothing(ada: User, model: Any) -> None:
    with acting_as(ada), watching() as seen:
        model.objects.create()
    seen.agree(of=0)


def test_creation_grant_and_event_are_undone_together(ada: User) -> None:
    with acting_as(ada), watching() as seen:
        with rolled_back():
            Claim.objects.create()
            Claim.objects.bulk_create([Claim(), Claim()])
        assert not Claim.objects.exists()
        assert not TransitionLog.objects.exists()
    seen.agree(of=0)


def test_saving_again_grants_nothing_again(ada: User) -> None:
    claim = Claim.objects.create(created_by=ada)
    revoke_role(ada, "owner", on=claim, by=SYSTEM)
    with watching() as seen, acting_as(ada):
        claim.title = "b"
        claim.save()
        Claim.objects.update_or_create(pk=claim.pk, defaults={"title": "c"})
        Claim.objects.bulk_update([claim], ["title"])
    seen.agree(of=0)


def test_a_changed_creator_is_no_new_creator(ada: User, bob: User) -> None:
    claim = Claim.objects.create(created_by=ada)
    with watching() as seen:
        claim.created_by = bob
        claim.save()
    seen.agree(of=0)
    assert roles_of(again(bob), on=claim) == set()


def test_the_owner_may_lose_the_role_like_any_other(ada: User) -> None:
    claim = Claim.objects.create(created_by=ada)
    with watching() as seen:
        revoke_role(ada, "owner", on=claim, by=SYSTEM)
    seen.agree(of=1)
    assert roles_of(again(ada), on=claim) == set()


def test_who_holds_the_role_for_all_records_still_gets_the_one(ada: User) -> None:
    grant_role(ada, "owner", on=Claim, by=SYSTEM)
    claim = Claim.objects.create(created_by=ada)
    revoke_role(ada, "owner", on=Claim, by=SYSTEM)
    assert roles_of(again(ada), on=claim) == {"owner"}


# --- in bulk ------------------------------------------------------------------------------------------------------


def test_bulk_create_grants_to_each_creator(ada: User, bob: User) -> None:
    with acting_as(bob), watching() as seen:
        claims = Claim.objects.bulk_create([Claim(created_by=ada), Claim(), Claim(created_by=bob)])
    seen.agree(of=3)
    assert {event.road for event in seen.events} == {"default"}
    assert {event.actor_id for event in seen.events} == {str(bob.pk)}
    assert [roles_of(again(ada), on=claim) for claim in claims] == [{"owner"}, set(), set()]
    assert [roles_of(again(bob), on=claim) for claim in claims] == [set(), {"owner"}, {"owner"}]


@pytest.mark.parametrize("model", [Claim, Dossier, Plate])
def test_bulk_create_grants_in_bulk(ada: User, model: Any) -> None:
    def cost(count: int, start: int) -> int:
        records = [model(code=str(start + n)) if model is Plate else model() for n in range(count)]
        with acting_as(ada), watching() as seen, statements() as sent:
            model.objects.bulk_create(records)
        seen.agree(of=count)
        return len(sent)

    cost(1, 1000)  # content types and permissions are looked up once
    few = cost(3, 2000)
    # SQLite takes few enough parameters that sixty events are two statements.
    assert cost(60, 3000) <= few + 1
    assert model.objects.visible_to(again(ada)).count() == 64


def test_bulk_create_costs_three_statements_more_than_without_a_creator(ada: User) -> None:
    """One for the permission, one for the grants, one for their events."""

    def cost(actor: Any) -> int:
        with acting_as(actor), statements() as sent:
            Claim.objects.bulk_create([Claim() for _ in range(20)])
        return len(sent)

    cost(ada)
    assert cost(ada) <= cost(SYSTEM) + 3


def test_a_large_bulk_create_grants_to_all(ada: User) -> None:
    with acting_as(ada):
        Claim.objects.bulk_create([Claim() for _ in range(1100)])
    assert Claim.objects.visible_to(again(ada)).count() == 1100
    with watching() as seen:
        reconcile()
    assert seen.events == []


def test_bulk_create_in_batches(ada: User) -> None:
    with acting_as(ada), watching() as seen:
        Claim.objects.bulk_create([Claim() for _ in range(7)], batch_size=2)
    seen.agree(of=7)


def test_get_or_create_grants_once(ada: User) -> None:
    with acting_as(ada), watching() as seen:
        Plate.objects.get_or_create(code="a")
        Plate.objects.get_or_create(code="a")
    seen.agree(of=1)
