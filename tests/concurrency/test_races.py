"""Eight processes race for each of a hundred records: one winner, one entry, no gap, no lost update."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from fsm_lifecycle import System
from fsm_lifecycle.migrating import store_definitions
from fsm_lifecycle.models import LifecycleDefinition, LifecycleModel, RefusedAttempt, TransitionLog
from tests.concurrency import races
from tests.concurrency.outcomes import assert_fair, assert_whole
from tests.concurrency.racers import COUNT, Racers
from tests.ledger.unprotected import unprotected
from tests.testapp.models import Contract, Invoice, Light, Order

RECORDS = 100
PREPARE = System("prepare")


def lights(*events: str) -> list[int]:
    """A hundred lights on which these events were fired."""
    keys = [light.pk for light in Light.objects.bulk_create(Light() for _ in range(RECORDS))]
    for event in events:
        assert Light.objects.filter(pk__in=keys).fire(event, actor=PREPARE).failed == 0
    return keys


def invoices(*events: str) -> list[int]:
    """A hundred invoices that may be sent, on which these events were fired."""
    new = (Invoice(amount=10, client_name="Ada") for _ in range(RECORDS))
    keys = [invoice.pk for invoice in Invoice.objects.bulk_create(new)]
    for event in events:
        assert Invoice.objects.filter(pk__in=keys).fire(event, actor=PREPARE).failed == 0
    return keys


def assert_one_entry_more(model: type[LifecycleModel], than: int, results: list[Any]) -> None:
    """One winner for each record, whose entry is the record's last; no trace of the losers in the log."""
    assert_fair(results)
    assert_whole(model, entries=than + 1)
    returned = {o.hash for result in results for o in result if o.won}
    assert returned == {record.lifecycle_head for record in model._default_manager.all()}
    assert TransitionLog.objects.for_model(model).count() == RECORDS * (than + 1)


def test_the_same_transition_has_one_winner(racers: Racers) -> None:
    keys = lights()
    results = racers.race(races.fire_each, Light, keys, ["switch_on"])
    assert_one_entry_more(Light, 1, results)
    assert set(Light.objects.values_list("state", flat=True)) == {"on"}


def test_an_event_that_returns_to_its_own_state_has_one_winner(racers: Racers) -> None:
    keys = lights("switch_on")
    results = racers.race(races.fire_each, Light, keys, ["blink"])
    assert_one_entry_more(Light, 2, results)
    assert {o.error for result in results for o in result if not o.won} == {"StaleState"}


def test_different_events_from_the_same_state_have_one_winner(racers: Racers) -> None:
    keys = lights("switch_on")
    results = racers.race(races.fire_each, Light, keys, ["switch_off", "blink", "smash"])
    assert_one_entry_more(Light, 2, results)


def test_guarded_events_with_effects_have_one_winner(racers: Racers) -> None:
    keys = invoices()
    results = racers.race(races.fire_each, Invoice, keys, ["send_invoice"])
    assert_one_entry_more(Invoice, 1, results)


def test_guarded_and_plain_events_from_the_same_state_have_one_winner(racers: Racers) -> None:
    keys = invoices()
    results = racers.race(races.fire_each, Invoice, keys, ["send_invoice", "cancel"])
    assert_one_entry_more(Invoice, 1, results)


def test_events_with_arguments_have_one_winner_whose_arguments_are_stored(racers: Racers) -> None:
    keys = invoices("send_invoice")
    results = racers.race(races.fire_each, Invoice, keys, ["pay"], arguments={"paid_on": "2026-03-01"})
    assert_one_entry_more(Invoice, 2, results)
    assert {str(day) for day in Invoice.objects.values_list("paid_on", flat=True)} == {"2026-03-01"}


def test_an_event_that_fires_another_has_one_winner_and_both_entries(racers: Racers) -> None:
    contracts = Contract.objects.bulk_create(Contract() for _ in range(RECORDS))
    orders = Order.objects.bulk_create(Order(contract=contract) for contract in contracts)
    results = racers.race(races.fire_each, Order, [order.pk for order in orders], ["place"])
    assert_one_entry_more(Order, 1, results)
    assert_whole(Contract, entries=2)
    causes = set(TransitionLog.objects.filter(event="activate").values_list("cause", flat=True))
    assert causes == set(Order.objects.values_list("lifecycle_head", flat=True))


def test_of_events_that_fire_the_same_one_elsewhere_only_one_wins(racers: Racers) -> None:
    """Each process has an order of its own; all belong to one contract, which can be activated once."""
    contracts = Contract.objects.bulk_create(Contract() for _ in range(20))
    shared = [[Order.objects.create(contract=c).pk for _ in range(COUNT)] for c in contracts]
    results = racers.race(races.own_of_each, Order, shared, "place")
    assert_fair(results, winners=None)
    assert sum(o.won for result in results for o in result) == len(contracts)
    assert_whole(Contract, entries=2)
    assert_whole(Order)
    assert Order.objects.filter(state="placed").count() == len(contracts)


def test_a_record_that_went_and_came_back_is_stale(racers: Racers) -> None:
    keys = lights("switch_on")
    results = racers.race(races.there_and_back, Light, keys, ["switch_off", "switch_on"], "blink")
    # Whoever was first moved the record on from what all had loaded. Nobody else may move it from there.
    assert_fair([[tries[0] for tries in result] for result in results])
    assert all(tries[-1].won for tries in results[0] if tries[0].won)
    assert_fair(results[0], winners=None)
    assert_whole(Light)
    assert {o.error for result in results[1:] for (o,) in result if not o.won} == {"StaleState"}


def test_a_copy_from_before_the_way_there_and_back_never_wins(racers: Racers) -> None:
    keys = lights("switch_on")
    results = racers.race(races.fire_after_the_way_back, Light, keys, ["switch_off", "switch_on"], "blink")
    assert_fair(results, winners=0)
    assert {o.error for result in results for o in result} == {"StaleState"}
    assert_whole(Light, entries=4)


def test_one_entry_for_each_idempotency_key(racers: Racers) -> None:
    keys = lights()
    results = racers.race(races.fire_with_key, Light, keys, "switch_on", None)
    assert_one_key_one_entry(Light, results, entries=2)


def test_one_entry_for_each_idempotency_key_with_arguments(racers: Racers) -> None:
    keys = invoices("send_invoice")
    results = racers.race(races.fire_with_key, Invoice, keys, "pay", {"paid_on": "2026-03-01"})
    assert_one_key_one_entry(Invoice, results, entries=3)


def assert_one_key_one_entry(model: type[LifecycleModel], results: list[Any], entries: int) -> None:
    assert all(count >= 1 for count in assert_fair(results, winners=None).values())
    assert {o.error for result in results for o in result if not o.won} <= {"StaleState"}
    for outcomes in zip(*results, strict=True):
        assert len({o.hash for o in outcomes if o.won}) == 1
    assert_whole(model, entries=entries)
    assert TransitionLog.objects.exclude(idempotency_key=None).count() == RECORDS


@pytest.mark.parametrize("in_bulk", [False, True])
def test_a_guard_sees_what_others_wrote_without_moving_the_state(racers: Racers, in_bulk: bool) -> None:
    keys = invoices()
    results = racers.race(races.empty_or_send, keys, in_bulk=in_bulk)
    for outcomes in zip(*results, strict=True):
        done = [what for _, what in outcomes if what in ("sent", "emptied")]
        assert len(done) == 1, outcomes
        assert not [what for _, what in outcomes if what.startswith("raw")]
    sent = Invoice.objects.filter(state="sent")
    assert set(sent.values_list("amount", flat=True)) <= {10}
    assert set(Invoice.objects.filter(state="draft").values_list("amount", flat=True)) <= {0}
    assert_whole(Invoice)


def test_losers_are_kept_as_refused_and_not_in_the_log(racers: Racers) -> None:
    keys = lights()
    racers.race(races.fire_each, Light, keys, ["switch_on"])
    assert set(TransitionLog.objects.values_list("kind", flat=True)) == {"created", "transition"}
    assert RefusedAttempt.objects.filter(code="stale_state").count() > 0
    assert set(RefusedAttempt.objects.values_list("code", flat=True)) == {"stale_state"}


def test_a_definition_is_stored_once_by_whoever_comes_first(racers: Racers) -> None:
    keys = lights()
    invoice_keys = invoices()
    with unprotected(connection), connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {LifecycleDefinition._meta.db_table}")
    try:
        assert_fair(racers.race(races.fire_each, Light, keys[:3], ["switch_on"]))
        assert_fair(racers.race(races.fire_each, Invoice, invoice_keys[:3], ["send_invoice"]))
        stored = LifecycleDefinition.objects.values_list("model_label", flat=True)
        assert sorted(stored) == ["testapp.invoice", "testapp.light"]
        assert_whole(Light, Invoice)
    finally:
        store_definitions("default")
