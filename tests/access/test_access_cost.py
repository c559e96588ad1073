"""What it costs to ask and to fire where roles are declared: statements, and rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.contrib.contenttypes.models import ContentType
from guardian.models import GroupObjectPermission, UserObjectPermission

from fsm_lifecycle.access import who_can
from tests.access.asking import again, sent_by
from tests.access.conftest import Counting
from tests.access.matrix import (
    ADMIN,
    Model,
    all_codenames,
    events_of,
    grant,
    meaning,
    new_group,
    new_record,
    new_user,
    roles_in,
)
from tests.acting import rolled_back, statements
from tests.testapp.offices import Binder, Claim, Dossier, Plate

pytestmark = pytest.mark.django_db

storages = pytest.mark.parametrize("model", [Claim, Dossier, Plate, Binder], ids=lambda m: m.__name__)


# --- what it costs ---------------------------------------------------------------------------------------------------


def guardians(sent: list[str]) -> list[str]:
    return [sql for sql in sent if "guardian_" in sql or ("binder" in sql and "permission" in sql)]


@storages
def test_a_yes_and_a_no_cost_two_queries_each_and_guardian_none(model: Model) -> None:
    role = roles_in(model)[0]
    record, user, nobody = new_record(model), new_user(), new_user()
    grant(user, role, record)
    user, nobody = again(user), again(nobody)
    user.has_perm(f"testapp.role_{role}", record)  # content types and permissions are read once for a process
    name = next(name for name in meaning(model, role) if name.startswith("view_"))
    for who, expected in ((user, True), (nobody, False)):
        fresh = model._default_manager.get(pk=record.pk)
        with statements() as sent:
            assert who.has_perm(f"testapp.{name}", fresh) is expected
        assert len(sent) <= 2, sent
        assert len(guardians(sent)) <= 2


def test_a_permission_at_large_costs_two_queries() -> None:
    user = new_user()
    grant(user, "examiner", Claim)
    again(user).has_perm("testapp.fire_examine")
    user = again(user)
    assert sent_by(lambda: user.has_perm("testapp.fire_examine")) <= 2


@storages
@pytest.mark.parametrize("way", ["decide", "available_events", "has_perm"])
def test_a_page_of_fifty_records_with_every_event_costs_two_queries(model: Model, way: str) -> None:
    boss, user = new_user(), new_user()
    records = [new_record(model) for _ in range(60)]
    groups = [new_group(user) for _ in range(5)]
    for number, record in enumerate(records):
        if number % 3 == 0:
            holders: list[User | Group] = [user, boss, *groups]
            grant(holders[number % 7], roles_in(model)[number % 2], record)
    grant(groups[0], roles_in(model)[-1], records[7])
    user = again(user)
    page = list(model._default_manager.order_by("pk")[:50])
    user.has_perm("testapp.view_claim", new_record(Claim))
    answers: dict[tuple[Any, str], bool] = {}

    def ask() -> None:
        for record in page:
            if way == "available_events":
                offered = [e.name for e in record.available_events(user)]
                answers.update({(record.pk, name): name in offered for name in events_of(model)})
                continue
            for event in events_of(model):
                if way == "decide":
                    denials = [d.code for d in record.decide(event, user).denials]
                    answers[record.pk, event] = "access_denied" not in denials
                else:
                    answers[record.pk, event] = user.has_perm(f"testapp.fire_{event}", record)

    with statements() as sent:
        ask()
    for_duties = 1 if way != "has_perm" and model is not Binder else 0
    assert len(sent) <= 2 + for_duties, sent
    assert len(answers) == 50 * len(events_of(model))
    # And they are true: one by one says the same.
    for record in page[::7]:
        alone = model._default_manager.get(pk=record.pk)
        for event in events_of(model):
            if way == "available_events":
                assert answers[record.pk, event] == (event in [e.name for e in alone.available_events(user)])
            else:
                assert answers[record.pk, event] == user.has_perm(f"testapp.fire_{event}", alone)


def test_a_page_costs_the_same_with_many_roles_and_for_every_question() -> None:
    """All of CRUD, and through groups, record by record."""
    user = new_user()
    claims = [new_record(Claim) for _ in range(50)]
    for role in roles_in(Claim):
        grant(new_group(user), role, claims[3])
        grant(user, role, claims[4])
    user = again(user)
    names = sorted(all_codenames(Claim))
    page = list(Claim.objects.order_by("pk"))
    found: dict[int, set[str]] = {}

    def ask() -> None:
        for claim in page:
            found[claim.pk] = {name for name in names if user.has_perm(f"testapp.{name}", claim)}

    assert sent_by(ask) <= 2
    everything = meaning(Claim, *roles_in(Claim))
    assert {pk for pk, may in found.items() if may} == {claims[3].pk, claims[4].pk}
    assert found[claims[3].pk] == found[claims[4].pk] == everything


def test_two_people_who_are_asked_about_in_turn_cost_two_queries_each() -> None:
    one, two = new_user(), new_user()
    claims = [new_record(Claim) for _ in range(12)]
    grant(one, "examiner", claims[3])
    grant(two, "examiner", claims[4])
    one, two = again(one), again(two)
    page = list(Claim.objects.order_by("pk"))
    found: list[tuple[bool, bool]] = []
    cost = sent_by(
        lambda: found.extend((c.can_fire("examine", one), c.can_fire("examine", two)) for c in page)
    )
    assert [place for place, (answer, _) in enumerate(found) if answer] == [3]
    assert [place for place, (_, answer) in enumerate(found) if answer] == [4]
    assert cost <= 4


def give_many(user: User, model: Model, count: int) -> None:
    """Give the user a role on so many other records, without their having to exist."""
    content_type = ContentType.objects.get_for_model(model)
    permission = Permission.objects.get(content_type=content_type, codename=f"role_{roles_in(model)[0]}")
    UserObjectPermission.objects.bulk_create(
        UserObjectPermission(
            user=user, permission=permission, content_type=content_type, object_pk=f"{number + 10_000_000}"
        )
        for number in range(count)
    )
    group = new_group(user)
    GroupObjectPermission.objects.bulk_create(
        GroupObjectPermission(
            group=group, permission=permission, content_type=content_type, object_pk=f"{number + 10_000_000}"
        )
        for number in range(count)
    )


@pytest.mark.parametrize("model", [Claim, Plate], ids=lambda model: model.__name__)
def test_a_user_with_thousands_of_grants_pays_no_more_rows_than_one_with_ten(
    model: Model, rows_fetched: Counting
) -> None:
    few, many = new_user(), new_user()
    give_many(few, model, 10)
    give_many(many, model, 3000)
    role = roles_in(model)[1]
    records = [new_record(model) for _ in range(20)]
    for user in (few, many):
        grant(user, role, records[0])
    few, many = again(few), again(many)

    def questions(user: User) -> list[Callable[[], Any]]:
        one = model._default_manager.get(pk=records[0].pk)
        other = model._default_manager.get(pk=records[1].pk)
        page = list(model._default_manager.order_by("pk"))
        rows: Any = model._default_manager.order_by("pk")
        return [
            lambda: user.has_perm("testapp.fire_examine", one),
            lambda: user.has_perm("testapp.fire_examine", other),
            lambda: other.can_fire("examine", user),
            lambda: one.available_events(user),
            lambda: [r.available_events(user) for r in page],
            lambda: list(rows.visible_to(user)[:10]),
            lambda: rows.visible_to(user).count(),
            lambda: list(who_can("examine", on=one)),
            lambda: user.get_all_permissions(),
            lambda: fired_and_undone(model._default_manager.get(pk=records[0].pk), user),
        ]

    for question in questions(few):
        question()
    for number, (by_few, by_many) in enumerate(zip(questions(few), questions(many), strict=True)):
        with rows_fetched() as of_few:
            by_few()
        with rows_fetched() as of_many:
            by_many()
        assert sum(of_few) == sum(of_many), number
    with rows_fetched() as counted:
        list(UserObjectPermission.objects.filter(user=many))
    assert sum(counted) >= 3000, "the fixture counts"


def fired_and_undone(record: Any, user: User) -> None:
    with rolled_back():
        record.fire("examine", actor=user)


@storages
def test_firing_costs_at_most_two_statements_more(model: Model) -> None:
    event = "close" if model is Binder else "examine"
    role = "clerk" if model is Binder else "examiner"
    user, warm, one, two, three = new_user(), *(new_record(model) for _ in range(4))
    grant(user, role, two)
    group = new_group(user)
    grant(group, role, three)
    user = again(user)
    warm.fire(event, actor=ADMIN)
    user.has_perm(f"testapp.fire_{event}", warm)
    by_program = sent_by(lambda: one.fire(event, actor=ADMIN))
    for record in (two, three):
        assert sent_by(lambda record=record: record.fire(event, actor=user)) <= by_program + 2  # type: ignore[misc]
    root = new_user(is_superuser=True)
    assert (
        sent_by(lambda: new_and_fire(model, event, root))
        <= sent_by(lambda: new_and_fire(model, event, ADMIN)) + 2
    )


def new_and_fire(model: Model, event: str, actor: Any) -> None:
    new_record(model).fire(event, actor=actor)


def test_firing_on_many_records_asks_once_for_a_batch() -> None:
    user = new_user()
    for number in range(60):
        claim = new_record(Claim)
        if number % 2:
            grant(user, "examiner", claim)
    user = again(user)
    few = Claim.objects.order_by("pk")[:4]
    few.fire("examine", actor=user)
    of_few = sent_by(lambda: Claim.objects.order_by("pk")[4:8].fire("examine", actor=user))
    of_many = sent_by(lambda: Claim.objects.order_by("pk")[8:58].fire("examine", actor=user))
    # What is refused is written down, a statement for each; what is asked is not asked for each.
    with statements() as sent:
        Claim.objects.order_by("pk").fire("refile", actor=user)
    asked = [sql for sql in sent if sql.lstrip().startswith("SELECT") and "guardian" in sql]
    assert len(asked) <= 2
    assert of_many <= of_few + 25


def test_visible_records_are_found_with_one_query() -> None:
    user = new_user()
    for number in range(10):
        claim = new_record(Claim)
        grant(user if number % 2 else new_group(user), "auditor", claim)
    user = again(user)
    list(Claim.objects.visible_to(user))
    with statements() as sent:
        assert len(Claim.objects.visible_to(user)) == 10
    assert len(sent) == 1
    with statements() as sent:
        assert Claim.objects.visible_to(user).count() == 10
    assert len(sent) == 1
