"""Eight threads of one process: the same promises, and a lock on the state that is each instance's own."""

from __future__ import annotations

import copy
import pickle
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections

from fsm_lifecycle import System
from fsm_lifecycle.exceptions import DirectStateChange
from fsm_lifecycle.ledger import definitions
from tests.concurrency import races
from tests.concurrency.elsewhere import prepare
from tests.concurrency.outcomes import Outcome, assert_fair, assert_whole, attempt
from tests.concurrency.racers import COUNT, PATIENCE, Place
from tests.testapp.models import Invoice, Light

ACTOR = System("threads")

Together = Callable[..., list[Any]]


@pytest.fixture
def together(transactional_db: None) -> Together:
    """Runs ``task(place, *args)`` in eight threads at once; what each returned, by its number."""
    barrier = threading.Barrier(COUNT)

    def thread(number: int, task: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        try:
            return task(Place(number, barrier), *args)
        except BaseException:
            barrier.abort()
            raise
        finally:
            connections.close_all()

    def run(task: Callable[..., Any], *args: Any) -> list[Any]:
        with ThreadPoolExecutor(COUNT) as pool:
            futures = [pool.submit(thread, number, task, args) for number in range(COUNT)]
            return [future.result(PATIENCE) for future in futures]

    return run


@pytest.mark.parametrize(("model", "event"), [(Light, "switch_on"), (Invoice, "send_invoice")])
def test_one_winner_among_threads(together: Together, model: Any, event: str) -> None:
    values: dict[str, Any] = {"amount": 10, "client_name": "Ada"} if model is Invoice else {}
    keys = prepare(model, 50, **values)
    assert_fair(together(races.fire_each, model, keys, [event]))
    assert_whole(model, entries=2)


def test_one_winner_among_threads_and_querysets(together: Together) -> None:
    keys = prepare(Light, 50)
    chunks = [keys[start : start + 10] for start in range(0, 50, 10)]
    assert_fair(together(races.one_or_many, Light, chunks, "switch_on"))
    assert_whole(Light, entries=2)


def test_the_first_use_of_everything_may_be_in_eight_threads_at_once(together: Together) -> None:
    """Statements are written and definitions are stored at the first use, once, whoever comes first."""
    keys = prepare(Invoice, COUNT, amount=10, client_name="Ada")
    Invoice._lifecycle.sql.clear()
    Invoice._lifecycle.children = None
    definitions.forget("default")

    def first_use(place: Place) -> Outcome:
        invoice = Invoice.objects.get(pk=keys[place.number])
        place.ready()
        return attempt(invoice, lambda: invoice.fire("send_invoice", actor=ACTOR))

    assert all(outcome.won for outcome in together(first_use))
    assert_whole(Invoice, entries=2)


def test_a_copy_that_is_refreshed_unlocks_no_other(together: Together) -> None:
    """Half of the threads refresh copies of a record all the time, half try to set the state of theirs."""
    key = prepare(Light, 1)[0]
    stop = threading.Event()

    def refresh_or_set(place: Place) -> list[str]:
        light = Light.objects.get(pk=key)
        place.ready()
        faults: list[str] = []
        if place.number % 2:
            while not stop.is_set():
                light.refresh_from_db()
                light.refresh_from_db(fields=["state"])
            return faults
        try:
            for _ in range(2000):
                try:
                    light.state = "on"
                except DirectStateChange:
                    continue
                faults.append("the state was set")
        finally:
            if place.number == 0:
                stop.set()
        return faults

    assert together(refresh_or_set) == [[]] * COUNT
    assert_whole(Light, entries=1)


def test_refreshing_sees_what_others_fire(together: Together) -> None:
    """Each copy that is refreshed is whole: its state belongs to its sequence."""
    key = prepare(Light, 1)[0]
    turns = 15

    def fire_or_refresh(place: Place) -> list[str]:
        light = Light.objects.get(pk=key)
        faults: list[str] = []
        place.ready()
        if place.number == 0:
            for _ in range(turns):
                light.fire("switch_on", actor=ACTOR)
                light.fire("switch_off", actor=ACTOR)
            return faults
        while light.lifecycle_sequence < turns * 2 + 1:
            light.refresh_from_db()
            if (light.state == "on") != (light.lifecycle_sequence % 2 == 0):
                faults.append(f"{light.state} at {light.lifecycle_sequence}")
        return faults

    assert together(fire_or_refresh) == [[]] * COUNT
    assert_whole(Light, entries=turns * 2 + 1)


def test_a_copy_whose_row_is_gone_is_locked_again(transactional_db: None) -> None:
    light = Light.objects.create()
    Light.objects.get(pk=light.pk).delete()
    with pytest.raises(Light.DoesNotExist):
        light.refresh_from_db()
    with pytest.raises(DirectStateChange):
        light.state = "on"


@pytest.mark.parametrize(
    "duplicate", [copy.copy, copy.deepcopy, lambda light: pickle.loads(pickle.dumps(light))]
)
def test_copies_made_in_threads_fire_for_themselves(
    together: Together, duplicate: Callable[[Light], Light]
) -> None:
    light = Light.objects.create()

    def fire(place: Place) -> list[Outcome]:
        mine = duplicate(light)
        place.ready()
        return [attempt(mine, lambda: mine.fire("switch_on", actor=ACTOR))]

    assert_fair(together(fire))
    assert light.state == "off"
    assert_whole(Light, entries=2)
