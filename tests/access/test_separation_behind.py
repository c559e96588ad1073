"""Separation of duties: the person behind an agent or a delegation counts."""

from __future__ import annotations

import pytest

from fsm_lifecycle.access import (
    delegate,
    revoke_delegation,
)
from fsm_lifecycle.access.actors import AgentActor
from tests.access.asking import barred, in_an_hour, manager, stored
from tests.access.matrix import (
    ADMIN,
    grant,
    new_user,
)
from tests.testapp.offices import Claim

pytestmark = pytest.mark.django_db


# --- agents ----------------------------------------------------------------------------------------------------------


def test_the_person_behind_an_agent_counts_in_every_direction(claim: Claim) -> None:
    one, two = manager("one"), manager("two")
    agent, another = AgentActor("helper", one, None), AgentActor("another", one, frozenset(["approve"]))
    claim.fire("examine", actor=agent)
    assert barred(claim, "approve", one)
    assert barred(claim, "approve", agent)
    assert barred(claim, "approve", another)
    assert not barred(claim, "approve", two)
    # The same program for another person is another actor.
    assert not barred(claim, "approve", AgentActor("helper", two, None))
    claim.fire("approve", actor=two)
    assert barred(claim, "pay", AgentActor("helper", two, None))


def test_an_agent_cannot_approve_for_who_examined(claim: Claim) -> None:
    one = manager("one")
    claim.fire("examine", actor=one)
    assert barred(claim, "approve", AgentActor("helper", one, None))


def test_an_agent_that_is_named_like_somebodys_key_is_not_that_person(claim: Claim) -> None:
    one, two = manager("one"), manager("two")
    claim.fire("examine", actor=AgentActor(str(two.pk), one, None))
    assert barred(claim, "approve", one)
    assert not barred(claim, "approve", two)


# --- delegations -----------------------------------------------------------------------------------------------------


def test_what_a_delegate_fired_counts_for_both(claim: Claim) -> None:
    one, other, third = manager("one"), new_user("other"), manager("third")
    delegate(one, other, "manager", until=in_an_hour(), by=one)
    entry = claim.fire("examine", actor=other)
    assert entry.actor_id == str(other.pk)
    assert entry.on_behalf_of is not None
    assert entry.on_behalf_of["id"] == str(one.pk)
    assert barred(claim, "approve", one)
    assert barred(claim, "approve", other)
    assert not barred(claim, "approve", third)


def test_who_acts_with_the_role_of_who_is_barred_is_barred(claim: Claim) -> None:
    one, other = manager("one"), new_user("other")
    delegate(one, other, "manager", until=in_an_hour(), by=one)
    claim.fire("examine", actor=one)
    assert barred(claim, "approve", other)


def test_who_has_the_role_beside_the_delegation_acts_with_their_own(claim: Claim) -> None:
    one, other = manager("one"), manager("other")
    delegate(one, other, "manager", until=in_an_hour(), by=one)
    claim.fire("examine", actor=one)
    assert not barred(claim, "approve", other)
    assert claim.fire("approve", actor=other).on_behalf_of is None


def test_of_two_who_delegated_the_one_who_is_free_is_acted_for(claim: Claim) -> None:
    one, two, other = manager("one"), manager("two"), new_user("other")
    for boss in (one, two):
        delegate(boss, other, "manager", until=in_an_hour(), by=boss)
    claim.fire("examine", actor=one)
    assert not barred(claim, "approve", other)
    entry = claim.fire("approve", actor=other)
    assert entry.on_behalf_of is not None
    assert entry.on_behalf_of["id"] == str(two.pk)
    assert barred(claim, "pay", two)


def test_a_delegation_that_has_ended_still_bars_both(claim: Claim) -> None:
    one, other = manager("one"), new_user("other")
    given = delegate(one, other, "manager", until=in_an_hour(), by=one)
    claim.fire("examine", actor=other)
    revoke_delegation(given, by=one)
    grant(other, "approver", Claim)
    assert barred(claim, "approve", one)
    assert barred(claim, "approve", other)


def test_an_agent_of_a_delegate_counts_for_both(claim: Claim) -> None:
    one, other = manager("one"), new_user("other")
    delegate(one, other, "manager", until=in_an_hour(), by=one)
    agent = AgentActor("helper", other, None)
    entry = claim.fire("examine", actor=agent)
    assert entry.on_behalf_of is not None
    assert entry.on_behalf_of["id"] == str(one.pk)
    for actor in (one, other, agent, AgentActor("another", one, None)):
        assert barred(claim, "approve", actor)


def test_a_delegate_that_does_not_need_the_delegation_does_not_act_for_anybody(claim: Claim) -> None:
    one, other = manager("one"), manager("other")
    delegate(one, other, None, until=in_an_hour(), by=one)
    assert claim.fire("examine", actor=other).on_behalf_of is None
    assert barred(claim, "approve", other)
    assert not barred(claim, "approve", one)


def test_in_bulk_a_delegate_counts_for_both() -> None:
    one, other = manager("one"), new_user("other")
    delegate(one, other, "manager", until=in_an_hour(), by=one)
    claims = [Claim.objects.create() for _ in range(3)]
    for claim, actor in zip(claims, (one, other, ADMIN), strict=True):
        claim.fire("examine", actor=actor)
    result = Claim.objects.order_by("pk").fire("approve", actor=other)
    assert [r.ok for r in result.results] == [False, False, True]
    entry = stored(claims[2]).log.last()
    assert entry is not None
    assert entry.on_behalf_of is not None
    assert entry.on_behalf_of["id"] == str(one.pk)
    assert Claim.objects.in_state("approved").fire("pay", actor=one).succeeded == 0
