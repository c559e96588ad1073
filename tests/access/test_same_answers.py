"""Every way to ask about a record gives the same answer as firing."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.utils.functional import SimpleLazyObject
from django_fsm import has_transition_perm

from fsm_lifecycle import AccessDenied, acting_as
from fsm_lifecycle.access import revoke_role, roles_of
from fsm_lifecycle.models import LifecycleModel, TransitionLog
from tests.access.asking import authorized, every_office, fires, fires_as_current, people_of, standing
from tests.access.matrix import (
    ADMIN,
    CRUD_OF,
    Model,
    all_codenames,
    crud_codename,
    events_of,
    grant,
    new_record,
    new_user,
    roles_among,
)
from tests.testapp.offices import Claim

pytestmark = pytest.mark.django_db


# --- records ---------------------------------------------------------------------------------------------------------


def ways_to_ask(record: LifecycleModel, name: str) -> list[tuple[str, Callable[[Any], bool]]]:
    """Each way to ask whether somebody may fire an event that the record's state allows; two that try it first."""
    event = record.lifecycle.events[name]
    return [
        ("fires", lambda user: fires(record, name, user)),
        ("fires as the current actor", lambda user: fires_as_current(record, name, user)),
        ("decides", lambda user: record.decide(name, user).allowed),
        ("decides by the event", lambda user: record.decide(event, user).allowed),
        ("can fire", lambda user: record.can_fire(name, user)),
        ("generated", lambda user: bool(getattr(record, f"can_{name}")(actor=user))),
        ("is offered", lambda user: event in record.available_events(user)),
        ("has_perm", lambda user: user.has_perm(f"testapp.fire_{name}", record)),
        ("is authorized", lambda user: authorized(user, event, record)),
        ("is authorized by name", lambda user: authorized(user, name, record)),
    ]


@every_office
def test_firing_deciding_and_asking_django_agree(model: Model) -> None:
    world = people_of(model, "approver", "manager")
    wrong, asked = [], 0
    for event in standing(world):
        firing, asking = (ways := ways_to_ask(world.record, event))[:2], ways[2:]
        for number, person in enumerate(world.people):
            expected = f"fire_{event}" in person.here
            # Firing for everybody, and each way to ask for somebody of each kind: together they meet every pair.
            for way, ask in (firing[number % 2], asking[(number + asked) % len(asking)]):
                answer = ask(person.user)
                if answer is not expected:
                    wrong.append(f"{way}: {event} for {person.name} is {answer}")
        asked += 1
    assert wrong == []
    assert asked == len(events_of(model))
    assert TransitionLog.objects.exclude(actor_kind__in=["system", "unknown"]).count() == 0


def test_every_firing_of_the_matrix_can_be_denied_and_allowed() -> None:
    """A guard against a matrix that says nothing."""
    world = people_of(Claim)
    for event in ("examine", "approve", "pay", "reject", "refile"):
        answers = {f"fire_{event}" in person.here for person in world.people}
        assert answers == {True, False}


@every_office
def test_async_code_is_told_the_same(model: Model) -> None:
    world = people_of(model, "manager")
    names = sorted(all_codenames(model))

    async def ask(user: Any, record: LifecycleModel) -> frozenset[str]:
        return frozenset([name for name in names if await user.ahas_perm(f"testapp.{name}", record)])

    async def decide(user: Any, record: LifecycleModel) -> frozenset[str]:
        found = []
        for event in events_of(model):
            decision = await record.adecide(event, user)
            if "access_denied" not in [d.code for d in decision.denials]:
                found.append(f"fire_{event}")
        return frozenset(found)

    # One of each four is enough: what differs from the matrix is the way, not the answer.
    for person in world.people[::4]:
        assert async_to_sync(ask)(person.user, world.record) == person.here, person.name
        events = {name for name in person.here if name.startswith("fire_")}
        assert async_to_sync(decide)(person.user, world.record) == events, person.name


@every_office
def test_authorize_says_what_the_table_says_about_crud(model: Model) -> None:
    world = people_of(model)
    for flag in CRUD_OF.values():
        name = crud_codename(model, flag)
        for person, record, expected in world.questions():
            assert authorized(person.user, flag, record) is (name in expected), (person.name, name)
        for person in world.people:
            expected_at_large = name in person.everywhere
            assert authorized(person.user, flag, model) is expected_at_large, (person.name, name)


@every_office
def test_roles_are_told_for_a_model_and_for_a_record(model: Model) -> None:
    world = people_of(model)
    for person in world.people:
        if getattr(person.user, "is_superuser", False):
            continue  # may everything without a role
        assert roles_of(person.user, on=world.record) == roles_among(person.here), person.name
        assert roles_of(person.user, on=world.other) == roles_among(person.everywhere), person.name
        assert roles_of(person.user, on=model) == roles_among(person.everywhere), person.name


# --- however user and record were loaded -----------------------------------------------------------------------------


def test_users_and_records_that_are_loaded_in_part_are_answered_alike() -> None:
    user, nobody, claim = new_user(), new_user(), new_record(Claim)
    grant(user, "examiner", claim)
    records = [Claim.objects.only("pk").get(), Claim.objects.defer("title").get(), copy.deepcopy(claim)]
    records += [pickle.loads(pickle.dumps(record)) for record in list(Claim.objects.all())]
    for record in records:
        for somebody, expected in ((user, True), (nobody, False)):
            loaded: list[Any] = [
                User.objects.only("pk").get(pk=somebody.pk),
                SimpleLazyObject(partial(User.objects.get, pk=somebody.pk)),
            ]
            for one in loaded:
                assert record.can_fire("examine", one) is expected
                assert one.has_perm("testapp.view_claim", record) is expected
                assert fires(record, "examine", one) is expected


def test_who_was_deleted_may_nothing_any_more() -> None:
    user, claim = new_user(), new_record(Claim)
    grant(user, "manager", Claim)
    held = User.objects.get(pk=user.pk)
    user.delete()
    assert not claim.can_fire("examine", held)
    assert not held.has_perm("testapp.view_claim", claim)
    assert not Claim.objects.visible_to(held).exists()
    with pytest.raises(AccessDenied):
        claim.fire("examine", actor=held)


def test_django_fsm_is_told_the_same() -> None:
    user, nobody, claim = new_user(), new_user(), new_record(Claim)
    grant(user, "examiner", claim)
    for who, expected in ((user, ["examine", "reject"]), (nobody, [])):
        offered = [t.name for t in claim.get_available_user_state_transitions(who)]
        assert sorted(offered) == expected
    assert has_transition_perm(claim.examine, user)
    assert not has_transition_perm(claim.examine, nobody)
    with acting_as(nobody), pytest.raises(AccessDenied):
        claim.examine()
    with acting_as(user):
        claim.examine()
    assert claim.state == "examined"


def test_an_idempotency_key_does_not_let_in_who_lost_the_role() -> None:
    user, claim = new_user(), new_record(Claim)
    grant(user, "examiner", claim)
    claim.fire("examine", actor=user, idempotency_key="k")
    revoke_role(user, "examiner", on=claim, by=ADMIN)
    with pytest.raises(AccessDenied):
        claim.fire("examine", actor=user, idempotency_key="k")
