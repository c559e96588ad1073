"""SQLite in Django's own deferred mode, in both journals: who is in the way is ``StaleState``, never a raw error."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from tests.concurrency import blocked, elsewhere, races
from tests.concurrency.elsewhere import Elsewhere
from tests.concurrency.outcomes import assert_fair
from tests.concurrency.racers import Racers
from tests.testapp.models import Invoice, Light, Order

pytestmark = pytest.mark.skipif(connection.vendor != "sqlite", reason="about SQLite's own locks")

RECORDS = 10


@pytest.fixture(params=["wal", "delete"])
def deferred(request: pytest.FixtureRequest, racers: Racers, tmp_path: Path) -> Elsewhere:
    """A copy of the test's database that is connected to as Django does unless told otherwise."""
    path = tmp_path / "deferred.sqlite3"
    with closing(sqlite3.connect(connection.settings_dict["NAME"])) as original:
        original.execute("VACUUM INTO ?", (str(path),))
    with closing(sqlite3.connect(path)) as copy:
        copy.execute(f"PRAGMA journal_mode={request.param}")
    # Who waits asks again and again, and others may be faster each time.
    return Elsewhere({"timeout": 100}, name=str(path), keep=False)


def impatient(where: Elsewhere) -> Elsewhere:
    return Elsewhere({"timeout": 0.05}, name=where.name, keep=False)


CASES: list[tuple[Any, dict[str, Any], str]] = [
    (Light, {}, "switch_on"),
    (Invoice, {"amount": 10, "client_name": "Ada"}, "send_invoice"),
    (Order, {}, "place"),
]


@pytest.mark.parametrize(("model", "values", "event"), CASES)
def test_one_winner_in_deferred_mode(
    racers: Racers, deferred: Elsewhere, model: Any, values: dict[str, Any], event: str
) -> None:
    keys = racers.one(elsewhere.alone, deferred, elsewhere.prepare, model, RECORDS, **values)
    assert_fair(racers.race(elsewhere.within, deferred, races.fire_each, model, keys, [event]))
    assert racers.one(elsewhere.alone, deferred, elsewhere.judged) == []


@pytest.mark.parametrize(("model", "values", "event"), CASES)
def test_at_most_one_winner_inside_the_callers_deferred_transaction(
    racers: Racers, deferred: Elsewhere, model: Any, values: dict[str, Any], event: str
) -> None:
    keys = racers.one(elsewhere.alone, deferred, elsewhere.prepare, model, RECORDS, **values)
    won = assert_fair(
        racers.race(elsewhere.within, deferred, elsewhere.fire_inside, model, keys, event), winners=None
    )
    assert set(won.values()) <= {0, 1}
    assert sum(won.values()) > 0
    assert racers.one(elsewhere.alone, deferred, elsewhere.judged) == []


@pytest.mark.parametrize(("model", "values", "event"), CASES[:2])
def test_a_queryset_in_deferred_mode(
    racers: Racers, deferred: Elsewhere, model: Any, values: dict[str, Any], event: str
) -> None:
    keys = racers.one(elsewhere.alone, deferred, elsewhere.prepare, model, RECORDS, **values)
    assert_fair(racers.race(elsewhere.within, deferred, races.one_or_many, model, [keys], event))
    assert racers.one(elsewhere.alone, deferred, elsewhere.judged) == []


def test_who_fires_on_a_record_of_his_own_is_never_refused(racers: Racers, deferred: Elsewhere) -> None:
    """A reader that turns into a writer would be, at once: the transaction is begun as a writer's and waits."""
    sendable = {"amount": 10, "client_name": "Ada"}
    keys = racers.one(elsewhere.alone, deferred, elsewhere.prepare, Invoice, 200, **sendable)
    answers = racers.race(elsewhere.within, deferred, elsewhere.fire_own, Invoice, keys, "send_invoice")
    assert [answer for answer in answers if any(answer)] == []
    assert racers.one(elsewhere.alone, deferred, elsewhere.judged) == []


@pytest.mark.parametrize("mode", ["IMMEDIATE", "EXCLUSIVE"])
def test_a_lock_that_is_not_given_up_is_stale_state(racers: Racers, deferred: Elsewhere, mode: str) -> None:
    lights = racers.one(elsewhere.alone, deferred, elsewhere.prepare, Light, 3)
    sendable = {"amount": 10, "client_name": "Ada"}
    invoices = racers.one(elsewhere.alone, deferred, elsewhere.prepare, Invoice, 1, **sendable)
    impatient = Elsewhere({"timeout": 0.02}, name=deferred.name, keep=False)
    answers = racers.one(
        elsewhere.alone, impatient, blocked.in_every_way, lights, invoices[0], deferred.name, mode
    )
    assert answers == dict.fromkeys(blocked.WAYS, "")
    assert racers.one(elsewhere.alone, deferred, elsewhere.judged) == []


def test_the_first_thing_on_a_connection_may_be_a_write(racers: Racers, deferred: Elsewhere) -> None:
    """What opens the connection must not undo that the transaction is begun as a writer's."""
    keys = racers.one(elsewhere.alone, deferred, elsewhere.prepare, Light, RECORDS)
    results = racers.race(elsewhere.within, deferred, races.fire_on_new_connections, Light, keys, "switch_on")
    assert_fair(results)
    assert racers.one(elsewhere.alone, deferred, elsewhere.judged) == []
