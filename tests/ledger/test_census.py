"""The census: records by state up to now, from the totals and what is not sealed yet."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.db import connection

from fsm_lifecycle import System
from fsm_lifecycle.ledger import census as module
from fsm_lifecycle.ledger.census import census
from fsm_lifecycle.ledger.sealing import seal
from fsm_lifecycle.ledger.stays import recent_stays
from fsm_lifecycle.models import DailyCount, StateTotal
from tests.testapp.models import Light

ACTOR = System("tests")

pytestmark = pytest.mark.django_db


def lights(number: int, *events: str) -> list[Light]:
    made = [Light.objects.create() for _ in range(number)]
    for light in made:
        for event in events:
            light.fire(event, actor=ACTOR)
    return made


def by_hand() -> dict[str, int]:
    return dict(Counter(Light.objects.values_list("state", flat=True)))


def test_an_empty_log_has_nobody() -> None:
    found = census()
    assert (found.records, found.entries, found.sealed, found.waiting, found.whole) == ({}, {}, 0, 0, True)
    assert found.sealed_until is None


def test_what_is_not_sealed_is_counted_too() -> None:
    lights(3, "switch_on")
    seal()
    lights(2)[0].fire("switch_on", actor=ACTOR)
    found = census()
    assert found.of("testapp.light") == by_hand() == {"on": 4, "off": 1}
    assert (found.sealed, found.waiting, found.entries["testapp.light"]) == (6, 3, 9)
    assert found.waiting_since is not None
    assert len(found.moves) == 3


def test_events_back_to_their_state_and_records_that_are_gone() -> None:
    lights(2, "switch_on", "blink", "blink")[0].delete()
    seal()
    assert census().of("testapp.light") == by_hand() == {"on": 1}


def test_with_too_many_waiting_the_counts_are_those_of_the_seal(monkeypatch: pytest.MonkeyPatch) -> None:
    lights(2)
    seal()
    monkeypatch.setattr(module, "MOST", 3)
    lights(2, "switch_on")
    found = census()
    assert (found.whole, found.waiting, found.moves) == (False, 3, ())
    assert found.of("testapp.light") == {"off": 2}


@pytest.mark.once
def test_the_migration_adds_up_what_was_counted_before() -> None:
    lights(3, "switch_on", "blink")
    lights(1)[0].delete()
    seal()
    kept = sorted(StateTotal.objects.values_list("model_label", "state", "came", "went"))
    StateTotal.objects.all().delete()
    migration: Any = import_module("fsm_lifecycle.migrations.0007_state_totals")
    migration.add_up(apps, SimpleNamespace(connection=connection))
    assert sorted(StateTotal.objects.values_list("model_label", "state", "came", "went")) == kept


@pytest.mark.once
def test_the_census_reads_as_much_for_many_entries_as_for_few(django_assert_num_queries: Any) -> None:
    for number in (1, 40):
        lights(number, "switch_on")
        seal()
        with django_assert_num_queries(7):
            census()
    rows = list(DailyCount.objects.values_list("day", "kind"))
    assert {kind for _, kind in rows} == {"created", "transition"}
    assert len(rows) == len(set(rows)), "midnight may come between, but nothing is counted twice"


# --- how long records stayed --------------------------------------------------------------------------------


def test_the_latest_stays_have_a_median_and_a_time_for_nine_of_ten() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for days in range(1, 11):
        light = Light.objects.create()
        light.fire("switch_on", actor=ACTOR, occurred_at=start)
        light.fire("switch_off", actor=ACTOR, occurred_at=start + timedelta(days=days))
    found = recent_stays("default", "testapp.light")
    by_state = {one.state: one for one in found.stays}
    assert (by_state["on"].median, by_state["on"].ninety) == (timedelta(days=5.5), timedelta(days=9))
    assert by_state["on"].ended == 10
    assert found.moves == 20


@pytest.mark.once
def test_a_lifecycle_that_rests_is_measured_from_its_last_day() -> None:
    assert recent_stays("default", "testapp.light").stays == ()
    lights(1, "switch_on")
    seal()
    DailyCount.objects.update(day=date(2030, 1, 1))
    assert recent_stays("default", "testapp.light").moves == 1
    DailyCount.objects.update(day=date(2020, 1, 1))
    assert recent_stays("default", "testapp.light").moves == 0
