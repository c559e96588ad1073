"""Owns a process that fires in a loop until it is killed, in every way in which entries come to be.

It is killed from outside at any moment, or it kills itself right before or after a statement or commit chosen
beforehand, so that what lies between two of them comes up as often as waiting for the database. Must not know what is
left behind.
"""

from __future__ import annotations

import os
import random
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType
from typing import Any

from tests.concurrency.racers import join

#: The functions of Django through which everything goes to the database. Their beginning and end are the points.
COUNTED = {
    "execute": "utils.py",
    "executemany": "utils.py",
    "_commit": "base.py",
    "_rollback": "base.py",
}
DJANGO = str(Path("django", "db", "backends"))


def fire_until_killed(database: str, end: Connection, seed: int, points: int | None) -> None:
    """Fire until killed; with ``points``, by this process itself at that point. Sends what went wrong."""
    join(database)
    chance = random.Random(seed)
    ways = _ways(chance)
    end.send("begins")
    try:
        if points is not None:
            sys.settrace(_Countdown(points).trace)
        while True:
            chance.shuffle(ways)
            for way in ways:
                _unless_refused(way)
    except BaseException as error:
        sys.settrace(None)
        end.send(f"{type(error).__name__}: {error}")
        raise


def count_points(database: str, end: Connection) -> None:
    """Send how many points one firing of each kind passes."""
    join(database)
    ways = _ways(random.Random(0))
    for way in ways:
        _unless_refused(way)
    counter = _Countdown(sys.maxsize)
    sys.settrace(counter.trace)
    for way in ways:
        _unless_refused(way)
    sys.settrace(None)
    end.send(sys.maxsize - counter.left)


class _Countdown:
    """Kills this process at a point so many points from now."""

    def __init__(self, points: int) -> None:
        self.left = points

    def trace(self, frame: FrameType, event: str, argument: Any) -> Any:
        code = frame.f_code
        where = COUNTED.get(code.co_name)
        if where is None or not code.co_filename.endswith(where) or DJANGO not in code.co_filename:
            return None
        frame.f_trace_lines = False
        self.passed()
        return self.inside

    def inside(self, frame: FrameType, event: str, argument: Any) -> Any:
        if event == "return":
            self.passed()
        return self.inside

    def passed(self) -> None:
        self.left -= 1
        if self.left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)


def _unless_refused(way: Callable[[], Any]) -> None:
    from fsm_lifecycle.exceptions import LifecycleError

    with suppress(LifecycleError):  # another process was first
        way()


def _ways(chance: random.Random) -> list[Callable[[], Any]]:
    from fsm_lifecycle import System
    from tests.testapp.models import Contract, Invoice, Light, Order

    actor = System("until killed")
    shared = list(Light.objects.filter(name="shared").values_list("pk", flat=True))

    def plain() -> None:
        light = Light.objects.get(pk=chance.choice(shared))
        light.fire("blink" if light.is_on else "switch_on", actor=actor)

    def guarded_with_effects() -> None:
        invoice = Invoice.objects.create(amount=10, client_name="Ada")
        invoice.fire("send_invoice", actor=actor)
        invoice.fire("pay", actor=actor, arguments={"paid_on": "2026-03-01"}, idempotency_key="once")
        invoice.fire("refund", actor=actor)

    def firing_another() -> None:
        order = Order.objects.create(contract=Contract.objects.create())
        order.fire("place", actor=actor)
        order.fire("finish", actor=actor)

    def bulk() -> None:
        some = Light.objects.filter(pk__in=chance.sample(shared, 5))
        some.fire(chance.choice(["switch_on", "switch_off", "blink"]), actor=actor)

    def bulk_with_effects() -> None:
        Invoice.objects.filter(state="draft").order_by("pk")[:3].fire("send_invoice", actor=actor)

    def create() -> None:
        Light.objects.create(name="own")

    def bulk_create() -> None:
        Light.objects.bulk_create([Light(name="own"), Light(name="own")])
        Invoice.objects.bulk_create([Invoice(amount=1, client_name="Bob"), Invoice(amount=0)])

    def delete() -> None:
        light = Light.objects.filter(name="own").order_by("?").first()
        if light is not None:
            light.delete()

    return [plain, guarded_with_effects, firing_another, bulk, bulk_with_effects, create, bulk_create, delete]
