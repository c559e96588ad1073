"""Eight processes race, some for whole querysets, some to delete: each record has one winner all the same."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from threading import Thread
from typing import Any

import pytest
from django.db import connection
from django.db.models.signals import pre_delete

from fsm_lifecycle.exceptions import StaleState
from fsm_lifecycle.models import LifecycleModel, TransitionLog
from tests.concurrency import races
from tests.concurrency.outcomes import assert_fair, assert_whole
from tests.concurrency.racers import Racers
from tests.concurrency.test_races import RECORDS, invoices, lights
from tests.testapp.models import Contract, Door, Invoice, Light, Order

CHUNK = 10


def in_chunks(keys: list[int]) -> list[list[int]]:
    return [keys[start : start + CHUNK] for start in range(0, len(keys), CHUNK)]


def test_a_queryset_against_single_records(racers: Racers) -> None:
    keys = lights()
    assert_fair(racers.race(races.one_or_many, Light, in_chunks(keys), "switch_on"))
    assert_whole(Light, entries=2)


def test_a_queryset_against_single_records_with_guards_and_effects(racers: Racers) -> None:
    keys = invoices()
    assert_fair(racers.race(races.one_or_many, Invoice, in_chunks(keys), "send_invoice"))
    assert_whole(Invoice, entries=2)


def test_a_queryset_against_single_records_that_fire_others(racers: Racers) -> None:
    contracts = Contract.objects.bulk_create(Contract() for _ in range(RECORDS))
    orders = Order.objects.bulk_create(Order(contract=contract) for contract in contracts)
    keys = [order.pk for order in orders]
    assert_fair(racers.race(races.one_or_many, Order, in_chunks(keys), "place"))
    assert_whole(Order, Contract, entries=2)


def test_of_many_that_want_all_or_nothing_one_gets_all(racers: Racers) -> None:
    keys = lights()
    results = racers.race(races.all_or_nothing, Light, in_chunks(keys), "switch_on")
    assert_fair(results)
    for result in results:
        won = Counter(o.won for o in result)
        assert won[True] % CHUNK == 0
    assert_whole(Light, entries=2)


@pytest.mark.parametrize(
    ("model", "event"),
    [(Light, "switch_on"), (Light, "smash"), (Invoice, "send_invoice"), (Invoice, "cancel")],
)
def test_deletion_against_firing(racers: Racers, model: type[LifecycleModel], event: str) -> None:
    keys: list[Any] = lights() if model is Light else invoices()
    results = racers.race(races.delete_or_fire, model, keys, event)
    won = assert_fair(results, winners=None)
    assert all(won[key] <= 1 for key in keys)
    assert_whole(model)
    left = set(model._default_manager.values_list("pk", flat=True))
    deleted = TransitionLog.objects.filter(kind="deleted")
    assert deleted.count() == len(keys) - len(left)
    moved = TransitionLog.objects.filter(kind="transition").values_list("object_pk", flat=True)
    assert sorted(moved) == sorted(str(key) for key in keys if won[key])
    # Nobody but a deletion or a firing can be what stopped a deletion.
    assert len(left) < len(keys)


def test_one_record_is_created_for_one_key(racers: Racers) -> None:
    codes = [f"door {number}" for number in range(RECORDS // 2)]
    results = racers.race(races.create_each, codes)
    created = Counter(code for result in results for code, ok in result if ok)
    assert created == dict.fromkeys(codes, 1)
    assert Door.objects.count() == len(codes)
    for door in Door.objects.all():
        assert door.replay().whole
        assert door.log.count() == 1
    assert_whole()


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite's file has one writer at a time")
def test_deleting_what_is_gone_does_not_take_what_came_instead(transactional_db: None) -> None:
    """Between the look at the row, which is gone, and the DELETE, somebody creates the key anew."""
    stale = Door.objects.create(code="front")
    Door.objects.get(code="front").delete()

    def create_anew() -> None:
        Door.objects.create(code="front")
        connection.close()

    def meanwhile(**kwargs: Any) -> None:
        thread = Thread(target=create_anew)
        thread.start()
        thread.join()

    pre_delete.connect(meanwhile, sender=Door)
    try:
        with suppress(StaleState):
            stale.delete()
    finally:
        pre_delete.disconnect(meanwhile, sender=Door)
    assert_whole()


def test_a_key_that_is_used_again_continues_its_chain(racers: Racers) -> None:
    codes = [f"door {number}" for number in range(6)]
    results = racers.race(races.create_open_and_remove, codes, rounds=6)
    raw = Counter(error for result in results for error in result if error.startswith("raw"))
    assert not raw
    assert_whole()
    assert TransitionLog.objects.filter(kind="deleted").count() > 0
