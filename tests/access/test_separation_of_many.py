"""Separation of duties for many records: each is judged for itself, all of them with one query."""

from __future__ import annotations

import pytest

from tests.access.asking import codes, manager, sent_by
from tests.access.matrix import (
    ADMIN,
    Model,
    bring,
    new_record,
    new_user,
)
from tests.testapp.offices import Claim, Dossier, Duty, Plate

pytestmark = pytest.mark.django_db


# --- many records ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [Claim, Dossier, Plate, Duty], ids=lambda model: model.__name__)
def test_in_bulk_each_record_is_judged_for_itself(model: Model) -> None:
    do, verify = ("do", "verify") if model is Duty else ("examine", "approve")
    one, two = new_user("one", is_superuser=True), new_user("two", is_superuser=True)
    records = [Duty.objects.create() if model is Duty else new_record(model) for _ in range(6)]
    for number, record in enumerate(records):
        record.fire(do, actor=(one, two, ADMIN)[number % 3])
    mine = {record.pk for number, record in enumerate(records) if number % 3 == 0}
    rows = model._default_manager.all()
    assert {r.pk for r in rows if not r.can_fire(verify, one)} == mine
    assert {r.pk for r in rows.all() if "four_eyes" in codes(r, verify, one)} == mine
    result = rows.fire(verify, actor=one)
    assert {r.pk for r in result.results if not r.ok} == mine
    assert all([d.code for d in r.denials] == ["four_eyes"] for r in result.results if not r.ok)
    assert (result.succeeded, result.failed) == (4, 2)


def test_all_or_nothing_is_nothing_when_one_record_is_barred() -> None:
    one = manager()
    claims = [new_record(Claim) for _ in range(3)]
    for number, claim in enumerate(claims):
        claim.fire("examine", actor=one if number == 1 else ADMIN)
    result = Claim.objects.fire("approve", actor=one, all_or_nothing=True)
    assert (result.succeeded, result.failed) == (0, 1)
    assert Claim.objects.in_state("approved").count() == 0


# --- what it costs ---------------------------------------------------------------------------------------------------


def test_firing_costs_at_most_one_statement_more() -> None:
    one = manager()
    warm, first, second, third = (new_record(Claim) for _ in range(4))
    bring(warm, "paid")
    for record in (first, second, third):
        record.fire("examine", actor=ADMIN)
    by_program = sent_by(lambda: first.fire("approve", actor=ADMIN))
    without = sent_by(lambda: second.fire("reject", actor=one))
    with_duties = sent_by(lambda: third.fire("approve", actor=one))
    assert with_duties <= without + 1
    assert with_duties <= by_program + 3


def test_firing_without_roles_costs_at_most_one_statement_more() -> None:
    duty, warm, user = Duty.objects.create(), Duty.objects.create(), new_user()
    for event in ("do", "verify"):
        warm.fire(event, actor=ADMIN)
    plain = sent_by(lambda: duty.fire("do", actor=ADMIN))
    assert sent_by(lambda: duty.fire("verify", actor=user)) <= plain + 1


def test_a_page_of_records_is_judged_with_one_query() -> None:
    one = new_user()
    for number in range(30):
        duty = Duty.objects.create()
        duty.fire("do", actor=one if number % 2 else ADMIN)
    page = list(Duty.objects.order_by("pk")[:25])
    found: list[bool] = []
    assert sent_by(lambda: found.extend(d.can_fire("verify", one) for d in page)) <= 1
    assert found == [not number % 2 for number in range(25)]
    page = list(Duty.objects.order_by("pk")[:25])
    offered: list[bool] = []

    def offer() -> None:
        offered.extend("verify" in [event.name for event in d.available_events(one)] for d in page)

    assert sent_by(offer) <= 1
    assert offered == found


def test_a_page_of_records_with_roles_is_judged_with_three_queries() -> None:
    one = manager()
    for number in range(30):
        claim = new_record(Claim)
        claim.fire("examine", actor=one if number % 2 else ADMIN)
        if number % 3 == 0:
            claim.fire("approve", actor=ADMIN)
    page = list(Claim.objects.order_by("pk")[:25])
    answers: dict[tuple[int, str], list[str]] = {}

    def ask() -> None:
        for place, claim in enumerate(page):
            for event in Claim.lifecycle.events:
                answers[place, event] = codes(claim, event, one)

    assert sent_by(ask) <= 3
    for place in range(25):
        assert ("four_eyes" in answers[place, "approve"]) == bool(place % 2)
        assert ("four_eyes" in answers[place, "pay"]) == bool(place % 2)
        assert "four_eyes" not in answers[place, "reject"]


def test_in_bulk_the_duties_cost_one_statement_for_a_batch() -> None:
    one = new_user()
    for _ in range(40):
        Duty.objects.create()
    Duty.objects.order_by("pk")[:20].fire("do", actor=ADMIN)
    few = Duty.objects.in_state("done").order_by("pk")[:4]
    of_few = sent_by(lambda: few.fire("verify", actor=one))
    of_many = sent_by(lambda: Duty.objects.in_state("done").fire("verify", actor=one))
    assert of_many <= of_few
