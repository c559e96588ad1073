"""Owns what each racing process does with timers and their records. Every task is given its ``Place`` first.

Must not know what the tests expect of it.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

from django.db import transaction

from fsm_lifecycle import InvalidTransition, StaleState, System
from fsm_lifecycle.dispatch.working import drain
from tests.concurrency.crashing import _Countdown
from tests.concurrency.racers import Place, join

RACER = System("race")


def work_off(place: Place, batch: int) -> int:
    """Work on timers until none is due; how many were taken."""
    from fsm_lifecycle.timers.firing import QUEUE

    place.ready()
    return drain(replace(QUEUE, batch=batch), "default")


def people_and_workers(place: Place, keys: Sequence[Any]) -> list[Any]:
    """Every second one works on timers, the others take the records back first; whose they got."""
    from tests.testapp.clocks import Case

    mine = list(keys)
    random.Random(place.number).shuffle(mine)
    if place.number % 2:
        work_off(place, 5)
        return []
    place.ready()
    got = []
    for key in mine:
        try:
            Case.objects.get(pk=key).fire("resume", actor=RACER)
        except (InvalidTransition, StaleState):
            continue
        got.append(key)
    return got


def savers_and_workers(place: Place, keys: Sequence[Any]) -> list[Any]:
    """Every second one works on timers, the others move them far away; those that were in time."""
    from tests.testapp.clocks import Bill

    mine = list(keys)
    random.Random(place.number).shuffle(mine)
    if place.number % 2:
        work_off(place, 5)
        return []
    place.ready()
    in_time = []
    for key in mine:
        with transaction.atomic():
            bill = Bill.objects.get(pk=key)
            bill.due_date = date(2999, 12, 31)
            bill.save()
            if Bill.objects.values_list("state", flat=True).get(pk=key) == "sent":  # its row is locked
                in_time.append(key)
    return in_time


def everything(place: Place, cases: Sequence[Any], bills: Sequence[Any], rounds: int) -> list[str]:
    """Two follow the log, one works, one looks at all records, the others fire and save; what went wrong."""
    from fsm_lifecycle.timers import keeping
    from fsm_lifecycle.timers.firing import QUEUE

    tasks: dict[int, Callable[[random.Random], Any]] = {
        0: lambda chance: keeping.follow("default"),
        1: lambda chance: keeping.follow("default"),
        2: lambda chance: drain(QUEUE, "default"),
        3: lambda chance: keeping.reconcile("default"),
    }
    task: Callable[[random.Random], Any] = tasks.get(place.number) or partial(
        _person, cases=cases, bills=bills
    )
    chance = random.Random(place.number)
    place.ready()
    wrong = []
    for _ in range(rounds):
        try:
            task(chance)
        except (InvalidTransition, StaleState):
            pass
        except Exception as error:
            wrong.append(f"racer {place.number}: {type(error).__name__}: {error}")
    return wrong


def _person(chance: random.Random, cases: Sequence[Any], bills: Sequence[Any]) -> None:
    from tests.testapp.clocks import Bill, Case

    if chance.random() < 0.5:
        event = chance.choice(["resolve", "resume", "shelve", "comment"])
        Case.objects.get(pk=chance.choice(cases)).fire(event, actor=RACER)
        return
    with transaction.atomic():
        # As the package locks them: MariaDB sorts a UUID in an order of its own.
        some = Bill.objects.filter(pk__in=chance.sample(list(bills), 3)).order_by("pk")
        for key in some.values_list("pk", flat=True):
            bill = Bill.objects.get(pk=key)
            bill.due_date = chance.choice([None, date(2999, 1, chance.randint(1, 28))])
            bill.save()


def work_until_killed(database: str, end: Connection, points: int | None) -> None:
    """Work on timers until killed; with ``points``, by this process itself at that point."""
    join(database)
    from django.conf import settings

    from fsm_lifecycle.timers.firing import QUEUE

    settings.FSM_LIFECYCLE = {**getattr(settings, "FSM_LIFECYCLE", {}), "LEASE_SECONDS": 0.5}
    end.send("begins")
    if points is not None:
        sys.settrace(_Countdown(points).trace)
    while True:
        drain(replace(QUEUE, batch=7), "default")
