"""Owns what each racing process redacts. Every task is given its ``Place`` first.

Must not know what the tests expect of it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from fsm_lifecycle import System, redact
from fsm_lifecycle.access.person import Person
from fsm_lifecycle.engine.erasure import Erasure
from fsm_lifecycle.exceptions import StaleState
from fsm_lifecycle.models import LifecycleModel, TransitionLog
from tests.concurrency.racers import Place

RACER = System("race")


def redact_each(place: Place, entries: Sequence[int], fields: Sequence[Sequence[str]]) -> int:
    """Each entry, all at once, each process the fields of its number; how many redactions it made."""
    mine = fields[place.number % len(fields)]
    found = TransitionLog.objects.in_bulk(entries)
    made = 0
    for key in entries:
        place.ready()
        made += redact(found[key], mine, reason="race", by=RACER) is not None
    return made


def redact_or_fire(
    place: Place, model: type[LifecycleModel], keys: Sequence[Any], events: Sequence[str]
) -> tuple[int, int]:
    """Half of them redact all entries there are, half fire: how many redactions and firings were made."""
    order = list(keys)
    random.Random(place.number).shuffle(order)
    redacted = fired = 0
    place.ready()
    for key in order:
        if place.number % 2:
            for entry in TransitionLog.objects.filter(
                model_label=model._lifecycle.label, object_pk=str(key), kind="transition"
            ):
                redacted += redact(entry, ["actor"], reason="race", by=RACER) is not None
            continue
        for event in events:
            try:
                model._default_manager.get(pk=key).fire(event, actor=RACER)
            except StaleState:
                continue
            fired += 1
    return redacted, fired


def erase_person(place: Place, person: Person) -> int:
    """The same person from everywhere; how many entries it found."""
    place.ready()
    return Erasure(reason="race", by=RACER).of_person(person).entries
