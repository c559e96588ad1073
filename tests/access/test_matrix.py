"""Every role by every road against every event and every kind of access, as the table says and not otherwise."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import User
from guardian.shortcuts import (
    assign_perm,
)

from fsm_lifecycle import System
from fsm_lifecycle.access import authorize
from fsm_lifecycle.access.actors import AgentActor
from fsm_lifecycle.models import LifecycleModel
from tests.access.asking import authorized, compare, decided, events_among, every_office, permission, said
from tests.access.conftest import Requesting
from tests.access.matrix import (
    ADMIN,
    CRUD_OF,
    NOTHING,
    Model,
    Person,
    all_codenames,
    crud_codename,
    events_of,
    grant,
    meaning,
    new_group,
    new_record,
    new_user,
    plain_codenames,
    populate,
    roles_in,
)
from tests.testapp.offices import Binder, Claim, Dossier, Plate, UrgentClaim

pytestmark = pytest.mark.django_db


# --- the tables, by hand ---------------------------------------------------------------------------------------------

BY_HAND = {
    "owner": "view change refile",
    "examiner": "view examine reject",
    "approver": "view approve reject",
    "cashier": "pay",
    "auditor": "view",
    "manager": "add view change delete examine approve pay reject refile",
    "courier": "view hurry",
}
BINDERS_BY_HAND = {"clerk": "view change close", "chief": "add view change delete close reopen"}


def in_full(model: Model, role: str, words: str) -> frozenset[str]:
    name = "claim" if model is UrgentClaim else str(model._meta.model_name)
    return frozenset(
        [f"role_{role}", *(f"{w}_{name}" if w in CRUD_OF else f"fire_{w}" for w in words.split())]
    )


@pytest.mark.once
def test_the_tables_are_read_as_a_person_reads_them() -> None:
    for model in (Claim, UrgentClaim, Dossier, Plate):
        roles = [role for role in BY_HAND if role != "courier" or model is UrgentClaim]
        assert roles_in(model) == roles
        for role in roles:
            assert meaning(model, role) == in_full(model, role, BY_HAND[role])
    assert roles_in(Binder) == list(BINDERS_BY_HAND)
    for role, words in BINDERS_BY_HAND.items():
        assert meaning(Binder, role) == in_full(Binder, role, words)
    assert "fire_reopen" in all_codenames(Claim), "an event that no role may fire"


# --- the matrix ------------------------------------------------------------------------------------------------------


# Inside a request each answer is read from the database once for a person and a record: thousands of questions are
# quick. Firing never uses what a request has read; it has its own tests.


@every_office
def test_everybody_may_do_what_the_table_says_and_nothing_else(
    model: Model, in_a_request: Requesting
) -> None:
    # Dossiers, plates and urgent claims have the claims' table: there each role takes every other road.
    world = populate(model, every=1 if model in (Claim, Binder) else 2)
    every, plain = all_codenames(model), plain_codenames(model)
    assert len(world.people) > 8 * len(roles_in(model))
    assert len(plain) > len(every) / 2
    wrong: list[str] = []
    for person in world.people:
        user = person.user

        def ask(user: Any = user) -> tuple[frozenset[str], ...]:
            return (
                said(user, every, world.record),
                said(user, every, world.other),
                said(user, plain),
                decided(user, world.record),
            )

        here, there, at_large, events = in_a_request(user, ask)
        wrong += compare(person.name, "on the record", here, person.here)
        wrong += compare(person.name, "on another record", there, person.everywhere)
        wrong += compare(person.name, "at large", at_large, person.everywhere & plain)
        wrong += compare(person.name, "when decided", events, events_among(person.here))
        # Once more without a request.
        begin = {f"fire_{event.name}" for event in model.lifecycle.events_from(world.record.state)}
        offered = frozenset(f"fire_{event.name}" for event in world.record.available_events(user))
        wrong += compare(person.name, "when offered", offered, person.here & begin)
    assert wrong == []


@every_office
def test_programs_may_do_everything_whatever_the_roles(model: Model) -> None:
    record = new_record(model)
    assert decided(System("nightly-job"), record) == events_among(all_codenames(model))
    for flag in CRUD_OF.values():
        authorize(System("nightly-job"), flag, record)
        authorize(System("nightly-job"), flag, model)
    for event in model.lifecycle.events.values():
        authorize(System("nightly-job"), event, record)


@every_office
def test_agents_have_the_rights_of_their_user_narrowed_to_their_own_events(
    model: Model, in_a_request: Requesting
) -> None:
    world = populate(model, roles=[roles_in(model)[0], roles_in(model)[-1]])
    names = events_of(model)
    lists: tuple[tuple[str, ...] | None, ...] = (None, (), *((name,) for name in names[:3]), tuple(names[1:]))
    wrong: list[str] = []

    def ask(person: Person) -> None:
        for events in lists:
            agent = AgentActor("helper", person.user, None if events is None else frozenset(events))
            narrowed = frozenset(f"fire_{name}" for name in (names if events is None else events))
            who = f"agent of {person.name}, for {events}"
            wrong.extend(compare(who, "", decided(agent, world.record), person.here & narrowed))
        agent = AgentActor("helper", person.user, frozenset())
        can = {flag for flag in CRUD_OF.values() if authorized(agent, flag, world.record)}
        should = {flag for flag in CRUD_OF.values() if crud_codename(model, flag) in person.here}
        if can != should:
            wrong.append(f"agent of {person.name}: {can} instead of {should}")

    for person in world.people:
        if person.user.is_authenticated:
            in_a_request(person.user, partial(ask, person))
    assert wrong == []


# --- permissions that somebody assigned directly ---------------------------------------------------------------------


def to_user(model: Model, codename: str, record: LifecycleModel) -> User:
    user = new_user()
    user.user_permissions.add(permission(model, codename))
    return user


def to_group(model: Model, codename: str, record: LifecycleModel) -> User:
    user = new_user()
    new_group(user).permissions.add(permission(model, codename))
    return user


def to_user_on_record(model: Model, codename: str, record: LifecycleModel) -> User:
    user = new_user()
    assign_perm(permission(model, codename), user, record)
    return user


def to_group_on_record(model: Model, codename: str, record: LifecycleModel) -> User:
    user = new_user()
    assign_perm(permission(model, codename), new_group(user), record)
    return user


Road = Callable[[Model, str, LifecycleModel], User]
ROADS: tuple[tuple[Road, bool], ...] = (
    (to_user, True),
    (to_group, True),
    (to_user_on_record, False),
    (to_group_on_record, False),
)


@every_office
def test_a_permission_that_is_assigned_directly_counts_for_what_it_names(
    model: Model, in_a_request: Requesting
) -> None:
    record, other = new_record(model), new_record(model)
    every, plain = all_codenames(model), plain_codenames(model)
    people: list[Person] = []
    for codename in sorted(every):
        worth = meaning(model, codename[5:]) if codename.startswith("role_") else frozenset([codename])
        for assign, at_large in ROADS:
            user = User.objects.get(pk=assign(model, codename, record).pk)
            name = f"{codename} {assign.__name__}"
            people.append(Person(name, user, worth, worth if at_large else NOTHING))
    wrong: list[str] = []

    def ask(person: Person) -> None:
        user = person.user
        wrong.extend(compare(person.name, "on the record", said(user, every, record), person.here))
        wrong.extend(compare(person.name, "on another", said(user, every, other), person.everywhere))
        wrong.extend(compare(person.name, "at large", said(user, plain), person.everywhere & plain))
        wrong.extend(compare(person.name, "when decided", decided(user, record), events_among(person.here)))

    for person in people:
        in_a_request(person.user, partial(ask, person))
    assert wrong == []


def test_a_permission_that_is_assigned_directly_to_a_deactivated_user_is_worth_nothing() -> None:
    record = new_record(Claim)
    for assign, _ in ROADS:
        user = assign(Claim, "fire_examine", record)
        User.objects.filter(pk=user.pk).update(is_active=False)
        gone = User.objects.get(pk=user.pk)
        assert not gone.has_perm("testapp.fire_examine", record)
        assert not record.can_fire("examine", gone)


def test_an_event_that_no_role_may_fire_can_still_be_given_directly() -> None:
    claim = new_record(Claim)
    claim.fire("reject", actor=ADMIN)
    user = new_user()
    for role in roles_in(Claim):
        grant(user, role, Claim)
    assert not claim.can_fire("reopen", user)
    assign_perm("testapp.fire_reopen", user, claim)
    assert claim.can_fire("reopen", User.objects.get(pk=user.pk))
    claim.fire("reopen", actor=user)
