"""Owns what each racing process purges, holds, deletes or fires. Every task is given its ``Place`` first.

Must not know what the tests expect of it.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from multiprocessing.connection import Connection
from typing import Any
from unittest.mock import patch

from django.db import transaction

from fsm_lifecycle import InvalidHold, LifecycleError, Retention, System
from fsm_lifecycle.engine.legal_hold import place_hold
from fsm_lifecycle.engine.retention import purge_eligible, purge_some
from fsm_lifecycle.models import LegalHold
from tests.concurrency.crashing import _Countdown
from tests.concurrency.racers import Place, join
from tests.testapp.models import Light

RACER = System("race")
#: What came of one attempt on each record.
Outcomes = dict[Any, str]


@contextmanager
def also_while_on() -> Iterator[None]:
    """Inside, lights may be purged that can still be fired."""
    retention = Retention(after=timedelta(days=365), states=["on", "broken"])
    with patch.dict(vars(Light.lifecycle), options={"retention": retention}):
        yield


def purge_all(place: Place) -> Counter[str]:
    """Everything that may go, from everywhere."""
    place.ready()
    return purge_eligible(Light, by=RACER).counts


def _purge(light: Light) -> str:
    result = purge_some([light], by=RACER)
    return next(iter(result.counts))


def _hold(light: Light) -> str:
    try:
        place_hold(light, reason="race", by=RACER)
    except LifecycleError as error:
        return error.code
    return "held"


def _delete(light: Light) -> str:
    try:
        light.delete()
    except LifecycleError as error:
        return error.code
    return "deleted"


def _fire(light: Light) -> str:
    try:
        light.fire("switch_off", actor=RACER)
    except LifecycleError as error:
        return error.code
    return "fired"


def release_each(place: Place, holds: Sequence[int]) -> int:
    """Each hold, all at once; how many this racer released."""
    found = LegalHold.objects.in_bulk(holds)
    released = 0
    for key in holds:
        place.ready()
        with suppress(InvalidHold):
            found[key].release("race", by=RACER)
            released += 1
    return released


WAYS = {"purge": _purge, "hold": _hold, "delete": _delete, "fire": _fire}


def each_its_own(place: Place, keys: Sequence[Any], ways: Sequence[str]) -> Outcomes:
    """Record for record, all at once, each racer in its way."""
    found = Light.objects.in_bulk(keys)
    results = {}
    with also_while_on():
        for key in keys:
            place.ready()
            results[key] = WAYS[ways[place.number % len(ways)]](found[key])
    return results


def each_inside(place: Place, keys: Sequence[Any], ways: Sequence[str]) -> Outcomes:
    """As ``each_its_own``, inside a transaction whose snapshot is older than what the others do."""
    results = {}
    with also_while_on():
        for key in keys:
            place.ready()
            results[key] = "lost"
            with suppress(Exception), transaction.atomic():
                light = Light.objects.get(pk=key)
                place.ready()
                tried = WAYS[ways[place.number % len(ways)]](light)
                results[key] = f"{tried}, not committed"
                if tried not in ("purged", "held", "deleted", "fired"):
                    raise _Lost
            if results[key].endswith(", not committed") and tried in ("purged", "held", "deleted", "fired"):
                results[key] = tried
    return results


class _Lost(Exception):
    """Leaves the caller's transaction after a lost attempt."""


def purge_until_killed(database: str, end: Connection, points: int | None) -> None:
    """Purge everything; killed by itself so many points from the beginning. Sends how many points it passed."""
    join(database)
    end.send("begins")
    counter = _Countdown(points or sys.maxsize)
    sys.settrace(counter.trace)
    keys = list(Light.objects.values_list("pk", flat=True))
    random.shuffle(keys)
    for key in keys[: 1 if points is None else None]:
        for light in Light.objects.filter(pk=key):
            purge_some([light], by=RACER)
    sys.settrace(None)
    end.send((points or sys.maxsize) - counter.left)
