"""Deadlocks and lock time limits of PostgreSQL and MariaDB: ``StaleState``, and never a success that was undone."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from fsm_lifecycle.models import LifecycleModel
from tests.concurrency import deadlocks, elsewhere
from tests.concurrency.elsewhere import Elsewhere
from tests.concurrency.outcomes import assert_fair, assert_whole
from tests.concurrency.racers import Racers
from tests.concurrency.races import RACER
from tests.testapp.models import Contract, Invoice, Light, Order

pytestmark = pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite locks the whole file")


def quick() -> Elsewhere:
    """Deadlocks are looked for at once, and nobody waits long for a lock."""
    if connection.vendor == "mysql":
        return Elsewhere({"init_command": "SET SESSION innodb_lock_wait_timeout = 1"})
    return Elsewhere({"options": "-c deadlock_timeout=100ms -c lock_timeout=2s"})


@pytest.mark.parametrize(("model", "event"), [(Light, "switch_on"), (Invoice, "send_invoice")])
def test_of_two_that_wait_for_each_other_one_loses(
    racers: Racers, model: type[LifecycleModel], event: str
) -> None:
    values: dict[str, Any] = {"amount": 10, "client_name": "Ada"} if model is Invoice else {}
    keys = elsewhere.prepare(model, 10, **values)
    pairs = list(zip(keys[::2], keys[1::2], strict=True))
    results = racers.race(elsewhere.within, quick(), deadlocks.crosswise, model, pairs, event)
    assert_fair(results, winners=None)
    assert all(a.won + b.won <= 1 for a, b in zip(results[0], results[1], strict=True))
    assert sum(o.won for result in results for o in result) > 0
    assert_whole(model)


def test_an_effect_that_survives_a_deadlock_elsewhere_does_not_hide_that_all_was_undone(
    racers: Racers,
) -> None:
    contract = Contract.objects.create()
    order = Order.objects.create(contract=contract)
    order.fire("place", actor=RACER)
    results = racers.race(elsewhere.within, quick(), deadlocks.finish_against_contract, order.pk, contract.pk)
    told = results[0]["outcome"]
    assert not told.error.startswith("raw")
    order.refresh_from_db()
    assert told.won == (order.state == "done"), told
    assert results[0]["memory"] == order.state
    assert results[0]["entries"] == int(told.won)
    assert_whole(Order, Contract)


def test_a_queryset_that_survives_a_deadlock_reports_what_is(racers: Racers) -> None:
    orders = [Order.objects.create(contract=Contract.objects.create()) for _ in range(3)]
    keys = [order.pk for order in orders]
    results = racers.race(
        elsewhere.within, quick(), deadlocks.place_many_against_contract, keys, orders[1].contract_id
    )
    for outcome in results[0]:
        assert not outcome.error.startswith("raw"), outcome
        assert outcome.won == (Order.objects.get(pk=outcome.pk).state == "placed"), results[0]
    assert_whole(Order, Contract)


def test_all_or_nothing_stops_at_a_deadlock(racers: Racers) -> None:
    keys = elsewhere.prepare(Light, 4)
    results = racers.race(elsewhere.within, quick(), deadlocks.all_or_nothing_against_holder, keys)
    assert not [o for o in results[0] if o.error.startswith("raw")]
    assert {o.won for o in results[0]} == {Light.objects.get(pk=keys[-1]).is_on}
    assert len({light.state for light in Light.objects.filter(pk__in=keys)}) == 1
    assert_whole(Light)


@pytest.mark.parametrize("nested", [False, True])
def test_a_row_that_is_not_given_up_is_stale_state(racers: Racers, nested: bool) -> None:
    light = Light.objects.create()
    invoice = Invoice.objects.create(amount=10, client_name="Ada")
    options = quick().options
    if connection.vendor == "postgresql":
        options = {"options": "-c lock_timeout=100ms"}
    results = racers.race(
        elsewhere.within, Elsewhere(options), deadlocks.fire_while_locked, light.pk, invoice.pk, nested=nested
    )
    assert [(o.error or "won", when) for o, when in results[0]] == [
        *[("StaleState", "held")] * 2,
        ("stale_state", "held"),
        *[("won", "free")] * 2,
    ]
    assert_whole(Light, Invoice)
