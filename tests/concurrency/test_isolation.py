"""Stricter isolation levels: a serialization failure is ``StaleState`` or tried again, never a raw error."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from fsm_lifecycle import System
from tests.concurrency import elsewhere, races
from tests.concurrency.elsewhere import Elsewhere
from tests.concurrency.outcomes import assert_fair, assert_whole
from tests.concurrency.racers import Racers
from tests.testapp.models import Contract, Invoice, Light, Order

pytestmark = pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one level; see test_sqlite")

RECORDS = 25
LEVELS = ["repeatable read", "serializable"]


def isolated(level: str) -> Elsewhere:
    if connection.vendor == "mysql":
        return Elsewhere({"isolation_level": level})
    from psycopg import IsolationLevel

    return Elsewhere({"isolation_level": IsolationLevel[level.replace(" ", "_").upper()]})


CASES: list[tuple[Any, str]] = [(Light, "switch_on"), (Invoice, "send_invoice"), (Order, "place")]


def records(model: Any) -> list[Any]:
    if model is Invoice:
        return elsewhere.prepare(Invoice, RECORDS, amount=10, client_name="Ada")
    if model is Order:
        return [Order.objects.create(contract=Contract.objects.create()).pk for _ in range(RECORDS)]
    return elsewhere.prepare(model, RECORDS)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(("model", "event"), CASES)
def test_one_winner(racers: Racers, level: str, model: Any, event: str) -> None:
    keys = records(model)
    won = assert_fair(
        racers.race(elsewhere.within, isolated(level), races.fire_each, model, keys, [event]), winners=None
    )
    # Where every reader may be a victim, all may have been tried too often; then nobody has won.
    assert set(won.values()) <= ({1} if level == "repeatable read" else {0, 1})
    assert sum(won.values()) > RECORDS // 2
    assert_whole(model)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(("model", "event"), CASES)
def test_at_most_one_winner_inside_the_callers_transaction(
    racers: Racers, level: str, model: Any, event: str
) -> None:
    keys = records(model)
    won = assert_fair(
        racers.race(elsewhere.within, isolated(level), elsewhere.fire_inside, model, keys, event),
        winners=None,
    )
    assert set(won.values()) <= {0, 1}
    assert sum(won.values()) > 0
    assert_whole(model)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(("model", "event"), CASES)
def test_querysets_against_single_records(racers: Racers, level: str, model: Any, event: str) -> None:
    keys = records(model)
    chunks = [keys[start : start + 5] for start in range(0, RECORDS, 5)]
    won = assert_fair(
        racers.race(elsewhere.within, isolated(level), races.one_or_many, model, chunks, event), winners=None
    )
    assert set(won.values()) <= {0, 1}
    assert sum(won.values()) > 0
    assert_whole(model)


@pytest.mark.parametrize("level", LEVELS)
def test_all_or_nothing(racers: Racers, level: str) -> None:
    keys = records(Light)
    chunks = [keys[start : start + 5] for start in range(0, RECORDS, 5)]
    results = racers.race(elsewhere.within, isolated(level), races.all_or_nothing, Light, chunks, "switch_on")
    won = assert_fair(results, winners=None)
    assert set(won.values()) <= {0, 1}
    for chunk in chunks:
        assert len({won[key] for key in chunk}) == 1
    assert_whole(Light)


@pytest.mark.parametrize("level", LEVELS)
def test_deletion_against_firing(racers: Racers, level: str) -> None:
    keys = records(Light)
    Light.objects.filter(pk__in=keys).fire("switch_on", actor=System("prepare"))
    results = racers.race(elsewhere.within, isolated(level), races.delete_or_fire, Light, keys, "blink")
    won = assert_fair(results, winners=None)
    assert all(won[key] <= 1 for key in keys)
    assert_whole(Light)
