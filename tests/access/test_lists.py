"""Lists of records and of people, and firing on many records, agree with what is answered one by one."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.db.models import Count
from guardian.shortcuts import (
    assign_perm,
)

from fsm_lifecycle import CRUD, AccessDenied, System
from fsm_lifecycle.access import delegate, roles_of, who_can
from fsm_lifecycle.access.actors import AgentActor
from tests.access.asking import every_office, in_an_hour, people_of, stored
from tests.access.matrix import (
    ADMIN,
    CRUD_OF,
    Model,
    World,
    crud_codename,
    grant,
    new_group,
    new_record,
    new_user,
)
from tests.access.roads.moments import passed, soon
from tests.testapp.offices import Binder, Claim, Dossier, Plate

pytestmark = pytest.mark.django_db


# --- lists -----------------------------------------------------------------------------------------------------------


@every_office
def test_who_can_lists_exactly_those_who_can(model: Model) -> None:
    world = people_of(model)
    questions: list[tuple[Any, str]] = [(flag, crud_codename(model, flag)) for flag in CRUD_OF.values()]
    for event in model.lifecycle.events.values():
        questions += [(event, f"fire_{event.name}"), (event.name, f"fire_{event.name}")]
    for what, codename in questions:
        on_record = {p.name for p in world.people if codename in p.here}
        at_large = {p.name for p in world.people if codename in p.everywhere}
        assert on_record >= at_large
        assert {*who(world, what, world.record)} == on_record, what
        assert {*who(world, what, world.other)} == at_large, what
        assert {*who(world, what, model)} == at_large, what


def who(world: World, what: Any, on: Any) -> list[str]:
    """Names of the people that ``who_can`` lists, each once; nobody from outside the world."""
    names = {person.user.pk: person.name for person in world.people}
    found = list(who_can(what, on=on))
    assert len(found) == len({user.pk for user in found})
    assert all(isinstance(user, User) and user.is_active for user in found)
    # Those who delegated are real people too, but none of those asked about.
    return [names[user.pk] for user in found if user.pk in names]


def test_who_can_is_a_queryset_that_can_be_narrowed() -> None:
    claim, one, two = new_record(Claim), new_user("one"), new_user("two")
    grant(one, "cashier", claim)
    grant(new_group(two), "cashier", Claim)
    people = who_can(Claim.Lifecycle.pay, on=claim)
    assert set(people) == {one, two}
    assert set(people.filter(username__startswith="one")) == {one}
    assert people.count() == 2
    assert people.exclude(pk=one.pk).get() == two
    assert people.order_by("-username").first() == two


def test_who_can_refuses_what_is_neither_an_event_nor_crud() -> None:
    nothings: list[Any] = ["dance", Binder.Lifecycle.close, "", None]
    for what in nothings:
        with pytest.raises((LookupError, ValueError, TypeError, AttributeError)) as caught:
            list(who_can(what, on=Claim))
        assert str(caught.value)


@every_office
def test_visible_records_are_those_that_may_be_read(model: Model) -> None:
    world = people_of(model)
    view = crud_codename(model, CRUD.READ)
    third = new_record(model)
    rows: Any = model._default_manager.filter(pk__in=[world.record.pk, world.other.pk, third.pk])
    for person in world.people:
        expected = {
            r.pk for r, may in ((world.record, person.here), (world.other, person.everywhere)) if view in may
        }
        if view in person.everywhere:
            expected.add(third.pk)
        visible = rows.visible_to(person.user)
        assert {r.pk for r in visible} == expected, person.name
        assert visible.count() == len(expected), person.name
        assert {r.pk for r in rows.all() if person.user.has_perm(f"testapp.{view}", r)} == expected, (
            person.name
        )


def test_visible_records_can_be_filtered_ordered_cut_and_joined() -> None:
    user, claims = new_user(), [new_record(Claim) for _ in range(6)]
    for claim in claims[:4]:
        grant(user, "auditor", claim)
    grant(user, "cashier", claims[4])  # may pay what they may not read
    claims[1].fire("examine", actor=ADMIN)
    rows = Claim.objects.visible_to(user)
    assert list(rows.order_by("-pk")) == claims[3::-1]
    assert list(rows.order_by("pk")[1:3]) == claims[1:3]
    assert list(rows.in_state("examined")) == [claims[1]]
    assert list(Claim.objects.in_state("filed").visible_to(user).order_by("pk")) == [claims[0], *claims[2:4]]
    assert rows.filter(pk__in=[c.pk for c in claims[3:]]).get() == claims[3]
    assert rows.exclude(pk=claims[0].pk).count() == 3
    assert (rows | Claim.objects.filter(pk=claims[5].pk)).count() == 5
    assert set(rows.values_list("pk", flat=True)) == {c.pk for c in claims[:4]}
    assert rows.filter(created_by__isnull=True).exists()
    assert rows.update(title="Seen") == 4
    assert Claim.objects.filter(title="Seen").count() == 4


def test_visible_records_are_found_once_and_can_be_a_part_of_other_queries() -> None:
    user, claim = new_user(), new_record(Claim)
    new_record(Claim)
    for _ in range(3):
        grant(new_group(user), "auditor", claim)
    grant(user, "owner", claim)
    rows = Claim.objects.visible_to(user)
    assert rows.count() == rows.distinct().count() == 1
    assert list(rows.iterator()) == [claim]
    assert (
        Claim.objects.filter(pk__in=rows).get()
        == Claim.objects.filter(pk__in=rows.values("pk")).get()
        == claim
    )
    assert rows.aggregate(number=Count("pk")) == {"number": 1}
    assert list(rows.values("state").annotate(number=Count("pk"))) == [{"state": "filed", "number": 1}]
    assert list(rows.select_for_update()) == [claim]
    assert rows.none().count() == 0
    grant(user, "auditor", Claim)
    assert Claim.objects.visible_to(user).count() == 2
    assert who_can(CRUD.READ, on=claim).count() == 1


# --- for somebody else -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("through_group", [False, True])
def test_a_delegate_is_listed_and_sees_as_they_may_fire(through_group: bool) -> None:
    boss, user, claim, other = new_user(), new_user(), new_record(Claim), new_record(Claim)
    grant(new_group(boss) if through_group else boss, "examiner", claim)
    grant(boss, "auditor", other)
    delegate(boss, user, "examiner", until=in_an_hour(), by=boss)
    assert list(Claim.objects.visible_to(user)) == [claim]
    assert set(who_can(CRUD.READ, on=claim)) == set(who_can("examine", on=claim)) == {boss, user}
    assert set(who_can(CRUD.READ, on=other)) == {boss}
    assert roles_of(user, on=claim) == {"examiner"}
    assert [event.name for event in claim.available_events(user)] == ["examine", "reject"]


def test_what_is_not_a_role_is_not_delegated() -> None:
    boss, root, user, claim = new_user(), new_user(is_superuser=True), new_user(), new_record(Claim)
    for name in ("fire_examine", "view_claim"):
        assign_perm(f"testapp.{name}", boss, claim)
    for delegator in (boss, root):
        delegate(delegator, user, until=in_an_hour(), by=ADMIN)
    assert boss.has_perm("testapp.fire_examine", claim)
    assert not claim.can_fire("examine", user)
    assert not user.has_perm("testapp.view_claim", claim)
    assert not Claim.objects.visible_to(user).exists()
    assert set(who_can("examine", on=claim)) == set(who_can(CRUD.READ, on=claim)) == {boss, root}
    grant(root, "examiner", claim)
    assert claim.can_fire("examine", user)
    assert user in who_can("examine", on=claim)


@pytest.mark.parametrize("what_ends", ["the grant", "the delegation"])
def test_when_the_grant_or_the_delegation_ends_every_answer_does(what_ends: str) -> None:
    boss, user, claim = new_user(), new_user(), new_record(Claim)
    end = soon()
    if what_ends == "the grant":
        grant(boss, "examiner", claim, until=end)
        delegate(boss, user, until=in_an_hour(), by=ADMIN)
    else:
        grant(boss, "examiner", claim)
        delegate(boss, user, until=end, by=ADMIN)
    page = list(Claim.objects.all())
    assert page[0].can_fire("examine", user)
    passed(end)
    assert not claim.can_fire("examine", user)
    assert [event.name for event in page[0].available_events(user)] == []
    assert not user.has_perm("testapp.view_claim", page[0])
    assert not Claim.objects.visible_to(user).exists()
    assert user not in who_can("examine", on=claim)
    assert roles_of(user, on=claim) == set()
    with pytest.raises(AccessDenied):
        claim.fire("examine", actor=user)


# --- many records at once --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [Claim, Dossier, Plate], ids=lambda model: model.__name__)
def test_firing_on_many_records_fires_on_those_that_one_may(model: Model) -> None:
    user, records = new_user(), [new_record(model) for _ in range(7)]
    grant(user, "examiner", records[0])
    grant(new_group(user), "examiner", records[1])
    grant(user, "manager", records[2])
    grant(user, "auditor", records[3])
    grant(user, "approver", records[4])
    boss = new_user()
    grant(boss, "manager", records[5])
    delegate(boss, user, until=in_an_hour(), by=ADMIN)
    mine = {records[n].pk for n in (0, 1, 2, 5)}
    rows: Any = model._default_manager.all()
    assert {r.pk for r in rows if r.can_fire("examine", user)} == mine
    result = rows.all().fire("examine", actor=user)
    assert {r.pk for r in result.results if r.ok} == mine
    assert (result.succeeded, result.failed) == (4, 3)
    for refused in (r for r in result.results if not r.ok):
        assert [d.code for d in refused.denials] == ["access_denied"]
    assert {r.pk for r in rows.all().in_state("examined")} == mine
    entries: dict[Any, Any] = {r.pk: stored(r).log.last() for r in records}
    assert entries[records[5].pk].on_behalf_of["id"] == str(boss.pk)
    assert entries[records[0].pk].on_behalf_of is None


def test_firing_on_many_records_with_a_role_for_all_fires_on_all() -> None:
    user = new_user()
    for _ in range(3):
        new_record(Claim)
    grant(user, "examiner", Claim)
    assert Claim.objects.fire("examine", actor=user).succeeded == 3
    assert Claim.objects.fire("refile", actor=user).succeeded == 0
    for nobody in (AnonymousUser(), new_user(is_active=False), new_user()):
        result = Claim.objects.fire("refile", actor=nobody)
        assert {d.code for r in result.results for d in r.denials} == {"access_denied"}
    assert Claim.objects.fire("refile", actor=System("x")).succeeded == 3


def test_all_or_nothing_is_nothing_when_one_record_is_not_allowed() -> None:
    user, claims = new_user(), [new_record(Claim) for _ in range(3)]
    for claim in claims[:2]:
        grant(user, "examiner", claim)
    result = Claim.objects.fire("examine", actor=user, all_or_nothing=True)
    assert (result.succeeded, result.failed) == (0, 1)
    assert Claim.objects.in_state("filed").count() == 3


def test_an_agent_fires_on_many_records_what_its_list_allows() -> None:
    user, claims = new_user(), [new_record(Claim) for _ in range(3)]
    for claim in claims[:2]:
        grant(user, "examiner", claim)
    assert (
        Claim.objects.fire("examine", actor=AgentActor("helper", user, frozenset(["reject"]))).succeeded == 0
    )
    assert (
        Claim.objects.fire("examine", actor=AgentActor("helper", user, frozenset(["examine"]))).succeeded == 2
    )
