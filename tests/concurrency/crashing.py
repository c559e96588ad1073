"""Owns a process that fires in a loop until it is killed, in every way in which entries come to be.

It is killed from outside at any moment, or it kills itself when the interpreter reaches a line chosen beforehand,
so that moments without waiting come up as often as those in the database. Must not know what is left behind.
"""

from __future__ import annotations

import os
import random
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from types import FrameType
from typing import Any

from tests.concurrency.racers import join

#: Lines of these are counted: all that runs between the call of ``fire()`` and the driver.
COUNTED = (f"{os.sep}fsm_lifecycle{os.sep}", f"{os.sep}django{os.sep}db{os.sep}")


def fire_until_killed(database: str, end: Connection, seed: int, lines: int | None) -> None:
    """Fire until killed; with ``lines``, by this process itself after so many lines. Sends what went wrong."""
    join(database)
    chance = random.Random(seed)
    ways = _ways(chance)
    end.send("begins")
    try:
        if lines is not None:
            sys.settrace(_Countdown(lines).trace)
        while True:
            chance.shuffle(ways)
            for way in ways:
                _unless_refused(way)
    except BaseException as error:
        sys.settrace(None)
        end.send(f"{type(error).__name__}: {error}")
        raise


def count_lines(database: str, end: Connection) -> None:
    """Send how many lines one firing of each kind runs through."""
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
    """Kills this process when so many lines have run."""

    def __init__(self, lines: int) -> None:
        self.left = lines
        self.counts: dict[str, bool] = {}

    def trace(self, frame: FrameType, event: str, argument: Any) -> Any:
        name = frame.f_code.co_filename
        counted = self.counts.get(name)
        if counted is None:
            counted = self.counts[name] = any(part in name for part in COUNTED)
        return self.line if counted else None

    def line(self, frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line":
            self.left -= 1
            if self.left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return self.line


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
