"""Eligible is what has been in a state of its retention for long enough and is under no hold; nothing else is."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from fsm_lifecycle import Retention
from fsm_lifecycle.engine.eligibility import count_eligible, eligible, eligible_page, retained, retention_of
from fsm_lifecycle.engine.legal_hold import place_hold
from fsm_lifecycle.exceptions import NotEligible
from fsm_lifecycle.models import LifecycleModel
from tests.acting import ACTOR
from tests.retention.ageing import aged, finished
from tests.testapp.models import Document, Door, Light, Order, Parcel, Report, Treaty

pytestmark = pytest.mark.django_db


@pytest.fixture
def doors_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A retention for the model whose key is a text."""
    retention = Retention(after=timedelta(days=365), states=["closed", "open"])
    monkeypatch.setitem(vars(Door.lifecycle), "options", {"retention": retention})


def names(records: Any) -> list[str]:
    return [record.name for record in records]


def test_state_and_time_decide() -> None:
    finished(Light, 366, name="old")
    finished(Light, 364, name="young")
    aged(Light.objects.create(name="at work"), 4000)
    finished(Light, 5000, name="very old")
    assert names(eligible(Light)) == ["very old", "old"]
    assert count_eligible(Light) == 2


def test_to_the_moment() -> None:
    light = finished(Light)
    last = light.state_since + timedelta(days=365)
    assert list(eligible(Light, now=last)) == [light]
    assert not eligible(Light, now=last - timedelta(milliseconds=1))


@pytest.mark.parametrize("model", [Light, Parcel, Document])
def test_a_hold_keeps_its_record_and_no_other(model: type[LifecycleModel]) -> None:
    held, free = finished(model), finished(model)
    hold = place_hold(held, reason="dispute", by=ACTOR)
    assert list(eligible(model)) == [free]
    hold.release("settled", by=ACTOR)
    assert set(eligible(model)) == {held, free}


@pytest.mark.usefixtures("doors_are_kept")
def test_a_hold_on_a_text_key_is_exact() -> None:
    # MariaDB takes “a” and “A” for one key, unless the host's column says otherwise.
    others = ["1", "b"] if connection.vendor == "mysql" else ["1", "A", "a ", "b"]
    for code in ("a", *others):
        aged(Door.objects.create(code=code), 400)
    place_hold(Door.objects.get(code="a"), reason="dispute", by=ACTOR)
    assert sorted(door.code for door in eligible(Door)) == others


def test_a_hold_on_another_model_with_the_same_key_keeps_nothing() -> None:
    light = finished(Light)
    place_hold(Order.objects.create(pk=light.pk), reason="dispute", by=ACTOR)
    assert list(eligible(Light)) == [light]


def test_a_child_with_its_own_lifecycle_has_its_own_retention() -> None:
    report, treaty = finished(Document, title="d"), finished(Treaty, 400, title="t")
    assert [d.pk for d in eligible(Document)] == [report.pk]
    assert not eligible(Treaty)
    aged(treaty, 4000)
    assert [d.pk for d in eligible(Document)] == [report.pk]
    assert list(eligible(Treaty)) == [treaty]


def test_a_child_that_follows_its_parent_is_the_parents() -> None:
    assert {Document, Treaty, Light, Parcel} <= set(retained())
    assert Report not in retained()
    report = Report.objects.create(title="r")
    report.fire("finish", actor=ACTOR)
    aged(report, 400)
    assert [d.pk for d in eligible(Document)] == [d.pk for d in eligible(Report)] == [report.pk]


@pytest.mark.usefixtures("doors_are_kept")
def test_pages_follow_each_other_across_states_and_ties() -> None:
    moment = timezone.now() - timedelta(days=400)
    for n in range(11):
        door = Door.objects.create(code=f"d{n:02}")
        if n % 3:
            door.fire("open_up", actor=ACTOR)
    Door.objects.update(state_since=moment)
    Door.objects.filter(code__in=["d02", "d05"]).update(state_since=moment - timedelta(days=1))
    place_hold(Door.objects.get(code="d07"), reason="dispute", by=ACTOR)
    codes: list[str] = []
    after = None
    while page := eligible_page(Door, after=after, size=3):
        codes += [door.code for door in page]
        after = (page[-1].state_since, page[-1].pk)
    assert codes == ["d02", "d05", "d00", "d01", "d03", "d04", "d06", "d08", "d09", "d10"]
    assert codes == [door.code for door in eligible(Door)]


def test_counting_ends_at_its_limit() -> None:
    for _ in range(5):
        finished(Light)
    assert [count_eligible(Light, limit=n) for n in (3, 5, 9, None)] == [3, 5, 5, 5]


def test_a_model_without_retention_is_told_who_has_one() -> None:
    with pytest.raises(NotEligible, match=r"testapp\.order has no retention.*testapp\.light"):
        eligible(Order)
    assert retention_of(Light).after == timedelta(days=365)


def test_a_time_before_all_times_lets_nothing_go(monkeypatch: pytest.MonkeyPatch) -> None:
    finished(Light)
    policy = Retention(after=timedelta(days=900_000), states=["broken"])
    monkeypatch.setitem(vars(Light.lifecycle), "options", {"retention": policy})
    assert not eligible(Light)
    assert eligible_page(Light) == []
