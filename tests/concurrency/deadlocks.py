"""Owns what two processes do to wait for each other, and for a lock that is not given up.

The first two places play, the others only keep step. Must not know what the tests expect.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from django.db import DatabaseError, transaction

from fsm_lifecycle.models import TransitionLog
from tests.concurrency.outcomes import Outcome, attempt
from tests.concurrency.racers import Place
from tests.concurrency.races import RACER, fire_many
from tests.testapp.models import Contract, Light, Order

#: Seconds after which whoever was to wait is waiting.
SURELY = 0.3
#: Rows that one side writes first, so that the database chooses the other as its victim.
WEIGHT = 60


def crosswise(place: Place, model: Any, pairs: Sequence[tuple[Any, Any]], event: str) -> list[Outcome]:
    """Each fires in a transaction of its own on both records of a pair, in opposite orders."""
    results = []
    for pair in pairs:
        place.ready()
        first, second = (model.objects.get(pk=pk) for pk in (pair if place.number == 0 else pair[::-1]))
        place.ready()
        if place.number > 1:
            place.ready()
            continue
        stepped = False
        try:
            with transaction.atomic():
                first.fire(event, actor=RACER)
                stepped = True
                place.ready()
                outcome = attempt(second, lambda second=second: second.fire(event, actor=RACER))  # type: ignore[misc]
                if not outcome.won:
                    raise _Leave
        except _Leave:
            pass
        finally:
            if not stepped:
                place.ready()
        results.append(outcome)
    return results


class _Leave(Exception):
    """Leaves a transaction that has lost."""


def finish_against_contract(place: Place, order_key: Any, contract_key: Any) -> dict[str, Any] | None:
    """The order's event fires one on the contract, whose row somebody holds who then wants the order's."""
    if place.number == 1:
        _hold_contract_then_want(place, contract_key, order_key)
        return None
    order = Order.objects.get(pk=order_key)
    place.ready()
    if place.number:
        return None
    outcome = attempt(order, lambda: order.fire("finish", actor=RACER))
    return {"outcome": outcome, "memory": order.state, "entries": _entries("finish", order_key)}


def place_many_against_contract(place: Place, keys: Sequence[Any], contract_key: Any) -> list[Outcome] | None:
    """The same for a queryset whose second record is in the way."""
    if place.number == 1:
        _hold_contract_then_want(place, contract_key, keys[-1])
        return None
    place.ready()
    return None if place.number else fire_many(Order, keys, "place")


def _hold_contract_then_want(place: Place, contract_key: Any, order_key: Any) -> None:
    try:
        with transaction.atomic():
            for number in range(WEIGHT):
                Light.objects.create(name=f"weight {number}")
            Contract.objects.select_for_update().get(pk=contract_key)
            place.ready()
            time.sleep(SURELY)
            Order.objects.filter(pk=order_key).update(note="wanted")
    except DatabaseError:
        pass  # this one was the victim


def all_or_nothing_against_holder(place: Place, keys: Sequence[Any]) -> list[Outcome] | None:
    """Batches of one record in one transaction; somebody holds the second and then wants the first."""
    if place.number == 1:
        try:
            with transaction.atomic():
                for number in range(WEIGHT):
                    Light.objects.create(name=f"weight {number}")
                Light.objects.select_for_update().get(pk=keys[1])
                place.ready()
                time.sleep(SURELY)
                Light.objects.filter(pk=keys[0]).update(name="wanted")
        except DatabaseError:
            pass  # this one was the victim
        return None
    place.ready()
    return None if place.number else fire_many(Light, keys, "switch_on", all_or_nothing=True, batch_size=1)


def _entries(event: str, key: Any) -> int:
    return TransitionLog.objects.filter(event=event, object_pk=str(key)).count()


def fire_while_locked(
    place: Place, light_key: Any, invoice: Any, *, nested: bool
) -> list[tuple[Outcome, str]]:
    """The second place holds the rows; the first fires on them; then it lets go and the first fires again."""
    from tests.testapp.models import Invoice

    if place.number == 1:
        with transaction.atomic():
            Light.objects.select_for_update().get(pk=light_key)
            Invoice.objects.select_for_update().get(pk=invoice)
            place.ready()
            place.ready()
        place.ready()
        return []
    copies = [
        (Light.objects.get(pk=light_key), "switch_on"),
        (Invoice.objects.get(pk=invoice), "send_invoice"),
    ]
    place.ready()
    results = []
    if place.number == 0:
        results = [(_attempt(copy, event, nested), "held") for copy, event in copies]
        results += [(fire_many(Light, [light_key], "switch_on")[0], "held")]
    place.ready()
    place.ready()
    if place.number == 0:
        results += [(_attempt(copy, event, nested), "free") for copy, event in copies]
    return results


def _attempt(copy: Any, event: str, nested: bool) -> Outcome:
    if not nested:
        return attempt(copy, lambda: copy.fire(event, actor=RACER))
    outcome = None
    try:
        with transaction.atomic():
            outcome = attempt(copy, lambda: copy.fire(event, actor=RACER))
            if not outcome.won:
                raise _Leave
    except _Leave:
        pass
    assert outcome is not None
    return outcome
