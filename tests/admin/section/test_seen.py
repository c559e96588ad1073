"""Rows of the log and of refusals are seen where their records are: for every kind of key, in one statement."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import QueryDict
from django.test import RequestFactory

from fsm_lifecycle import System
from fsm_lifecycle.access import grant_role
from fsm_lifecycle.admin.section.keyset import slice_of
from fsm_lifecycle.admin.section.seen import Seen, key_of
from fsm_lifecycle.models import TransitionLog
from tests.testapp.offices import Appeal, Binder, Claim, Dossier, Filing, Plate

pytestmark = pytest.mark.django_db

ROOT = System("test")


@pytest.fixture
def user(db: None) -> User:
    return User.objects.create_user("reader", is_staff=True)


def places(found: Any) -> set[tuple[str, str]]:
    return set(found.values_list("model_label", "object_pk"))


def test_entries_of_readable_records_for_every_kind_of_key(user: User) -> None:
    records = [
        (Claim, "auditor", {}),
        (Dossier, "auditor", {}),
        (Plate, "auditor", {"code": "Ä-1 b"}),
        (Binder, "clerk", {}),
    ]
    expected = set()
    for model, role, values in records:
        seen: Any = model.objects.create(**values)
        model.objects.create(**{name: f"{value}2" for name, value in values.items()})
        grant_role(user, role, on=seen, by=ROOT)
        expected.add((model._lifecycle.label, str(seen.pk)))
    assert places(Seen(user).rows(TransitionLog.objects.all())) == expected
    assert places(Seen(user).rows(TransitionLog.objects.all(), Claim)) == {
        place for place in expected if place[0] == "testapp.claim"
    }
    assert set(Seen(user).records(expected)) == expected


def test_a_role_on_all_records_of_a_child_shows_those_alone(user: User) -> None:
    Filing.objects.create()
    appeal = Appeal.objects.create()
    grant_role(user, "auditor", on=Appeal, by=ROOT)
    assert places(Seen(user).rows(TransitionLog.objects.all(), Filing)) == {
        ("testapp.filing", str(appeal.pk))
    }
    grant_role(user, "auditor", on=Filing, by=ROOT)
    assert len(places(Seen(user).rows(TransitionLog.objects.all(), Filing))) == 2


def test_a_role_on_all_records_shows_them_all(user: User) -> None:
    Claim.objects.create()
    Claim.objects.create()
    grant_role(user, "auditor", on=Claim, by=ROOT)
    assert len(places(Seen(user).rows(TransitionLog.objects.all(), Claim))) == 2


def test_entries_of_records_that_are_gone_are_for_those_who_see_all(user: User) -> None:
    claim = Claim.objects.create()
    claim.delete()
    assert not places(Seen(user).rows(TransitionLog.objects.all(), Claim))
    root = User.objects.create_superuser("root")
    assert len(places(Seen(root).rows(TransitionLog.objects.all(), Claim))) == 1


@pytest.mark.parametrize("text", ["", "x", "1 ", "01", "\0", "9" * 30, "1.0", "\u0661"])
def test_texts_that_are_no_integer_key(text: str) -> None:
    assert key_of(Claim, text) is None


def test_pages_meet_without_gap_or_repetition(user: User) -> None:
    for _ in range(7):
        Claim.objects.create()
    log = TransitionLog.objects.filter(model_label="testapp.claim")
    page = slice_of(log, QueryDict(), size=3)
    keys = [row.pk for row in page.rows]
    assert not page.newer
    while page.older:
        page = slice_of(log, QueryDict(page.older[1:]), size=3)
        keys += [row.pk for row in page.rows]
    assert keys == [row.pk for row in log.order_by("-recorded_at", "-id")]
    back = slice_of(log, QueryDict(page.newer[1:]), size=3)
    assert [row.pk for row in back.rows] == keys[3:6]


@pytest.mark.parametrize(
    "value", ["x", "1", "1.x", ".", "9" * 44 + ".1", "1." + "9" * 40, "-1.1", "\0.1", "²"]
)
def test_a_place_that_is_none_is_the_newest_page(rf: RequestFactory, user: User, value: str) -> None:
    claim = Claim.objects.create()
    params = rf.get("/", {"after": value}).GET
    assert [row.object_pk for row in slice_of(TransitionLog.objects.all(), params).rows] == [str(claim.pk)]
