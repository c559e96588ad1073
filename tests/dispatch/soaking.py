"""Owns the soak: firings, webhooks and timers while workers are killed and the broker is restarted, and the judgement.

Small as a test, at full size by `python -m tests.dispatch.soak`. Works on the database that is set up; everything on
127.0.0.1. Must not know in which mode the workers work, but by name.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db import connections, transaction
from django.utils import timezone

from fsm_lifecycle import System
from fsm_lifecycle.exceptions import LifecycleError
from fsm_lifecycle.models import (
    Timer,
    TransitionLog,
    WebhookDelivery,
    WebhookEndpoint,
    WorkItem,
)
from tests.concurrency.wholeness import faults
from tests.dispatch.brokers import Broker
from tests.dispatch.workers import Workers
from tests.testapp.clocks import Loan
from tests.testapp.gates import Gate
from tests.testapp.models import Light
from tests.webhooks.receiver import Got, Receiver

ACTOR = System("soak")
#: Seconds between two kills, on average: a worker takes about one to begin.
BETWEEN_KILLS = 1.3
#: Each path is an endpoint's, with what it asks for.
FILTERS = {
    "/all": ["*"],
    "/lights": ["testapp.light.*"],
    "/switched-on": ["*.switch_on", "testapp.light:created"],
    "/nothing": ["testapp.light.explode"],
}


@dataclass
class Plan:
    """How much of everything."""

    mode: str
    firings: int
    kills: int
    restarts: int = 0
    workers: int = 3
    seconds: float = 180.0
    """How long is waited at the end for everything to be delivered."""


@dataclass
class Report:
    """What came of it."""

    fired: int = 0
    rolled_back: int = 0
    entries: int = 0
    kills: int = 0
    restarts: int = 0
    received: int = 0
    repeated: int = 0
    timers: int = 0
    promises: int = 0
    firing_seconds: float = 0.0
    settling_seconds: float = 0.0
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        rows = [
            f"{name.replace('_', ' '):18}{value}" for name, value in vars(self).items() if name != "faults"
        ]
        return "\n".join([*rows, *(self.faults or ["no fault"])])


class Soak:
    """One run of it."""

    def __init__(
        self,
        plan: Plan,
        workers: Workers,
        receiver: Receiver,
        broker: Broker | None,
        tell: Callable[[str], Any],
    ):
        self.plan, self.workers, self.receiver, self.broker, self.tell = plan, workers, receiver, broker, tell
        # One for each thread: what is fired is the same each time, so that loans and promises are among it.
        self.chance, self.trouble = random.Random(1), random.Random(2)
        self.report = Report()
        self.crew: list[Any] = []
        self.left: set[int] = set()
        self.late: set[int] = set()

    def run(self) -> Report:
        endpoints = {
            path: WebhookEndpoint.objects.create(url=self.receiver.url(path), events=events)
            for path, events in FILTERS.items()
        }
        self.crew = [self.worker() for _ in range(self.plan.workers)]
        firing = threading.Thread(target=self._fire)
        began = time.monotonic()
        firing.start()
        self._make_trouble()
        firing.join()
        self.report.firing_seconds = round(time.monotonic() - began, 1)
        self._settle()
        self._judge(endpoints)
        return self.report

    def worker(self) -> Any:
        """One more worker in the mode of the plan."""
        if self.plan.mode == "celery":
            assert self.broker is not None
            return self.workers.celery(self.broker.url, lease=3)
        if self.plan.mode == "thread":
            code = "import django; django.setup()\nfrom fsm_lifecycle.dispatch import wake\nimport time\n"
            code += "while True:\n    wake('default')\n    time.sleep(0.5)\n"
            return self.workers.python(code, lease=3)
        return self.workers.command(lease=3)

    # --- what happens -------------------------------------------------------------------------------------

    def _fire(self) -> None:
        try:
            lights = [Light.objects.create() for _ in range(20)]
            # Spread over the time in which workers are killed.
            began, pause = time.monotonic(), self.plan.kills * BETWEEN_KILLS / self.plan.firings
            while self.report.fired < self.plan.firings:
                self._one(lights)
                time.sleep(max(began + self.report.fired * pause - time.monotonic(), 0))
        except BaseException as error:
            self.report.faults.append(f"firing stopped: {error!r}")
        finally:
            connections.close_all()

    def _one(self, lights: list[Any]) -> None:
        """One transaction: mostly firings on lights, now and then a loan with a timer or a promise."""
        keep = self.chance.random() >= 0.2
        fired = 0
        made: tuple[set[int], int] | None = None
        with transaction.atomic():
            for _ in range(self.chance.randint(1, 3)):
                light = Light.objects.get(pk=self.chance.choice(lights).pk)
                try:
                    light.fire("switch_off" if light.is_on else "switch_on", actor=ACTOR)
                    fired += 1
                except LifecycleError:
                    continue
            draw = self.chance.random()
            if draw < 0.1:
                made = self._loan()
            elif draw < 0.15:
                Gate.objects.create().fire("promise", actor=ACTOR, arguments={"load": 1})
                fired += 1
            transaction.set_rollback(not keep)
        if not keep:
            self.report.rolled_back += fired
            return
        self.report.fired += fired
        if made is not None:
            made[0].add(made[1])

    def _loan(self) -> tuple[set[int], int]:
        """A loan that is late in two seconds, or one that is given back before."""
        loan = Loan.objects.create()
        Loan.objects.filter(pk=loan.pk).update(state_since=timezone.now() - timedelta(days=14, seconds=-2))
        if self.chance.random() < 0.5:
            loan.refresh_from_db()
            loan.fire("give_back", actor=ACTOR)
            return self.left, loan.pk
        return self.late, loan.pk

    def _make_trouble(self) -> None:
        """Kill workers at random moments, and restart the broker, until as often as was planned."""
        restarts = {
            round(self.plan.kills * (n + 1) / (self.plan.restarts + 1)) for n in range(self.plan.restarts)
        }
        while self.report.kills < self.plan.kills:
            time.sleep(self.trouble.uniform(0.2, 2 * BETWEEN_KILLS - 0.2))
            place = self.trouble.randrange(len(self.crew))
            self.workers.kill(self.crew[place])
            self.crew[place] = self.worker()
            self.report.kills += 1
            if self.report.kills in restarts and self.broker is not None:
                self.broker.stop()
                time.sleep(1)
                self.broker.start()
                self.report.restarts += 1
            if self.report.kills % 10 == 0:
                self.tell(
                    f"{self.report.kills} kills, {self.report.fired} firings, {len(self.receiver.got)} messages"
                )

    def _settle(self) -> None:
        """Wait until nothing is left to do."""
        began = time.monotonic()
        while time.monotonic() - began < self.plan.seconds and (open_work := self._open()):
            time.sleep(0.5)
            self.tell(f"left: {open_work}")
        self.report.settling_seconds = round(time.monotonic() - began, 1)

    def _open(self) -> dict[str, int]:
        found = {
            "deliveries": WebhookDelivery.objects.filter(status="pending").count(),
            "work": WorkItem.objects.filter(status="queued").count(),
            "late loans": Loan.objects.filter(state="out").count(),
            "not sent": self._expected() - len({(got.path, got.message_id) for got in self._whole()}),
        }
        return {name: count for name, count in found.items() if count > 0}

    def _whole(self) -> list[Got]:
        """The messages that arrived whole: who is killed while it sends leaves a piece of one."""
        return [got for got in list(self.receiver.got) if len(got.body) == int(got.headers["content-length"])]

    def _expected(self) -> int:
        return sum(len(self._matching(path)) for path in FILTERS)

    def _matching(self, path: str) -> set[tuple[str, str, int]]:
        """The entries that an endpoint is to be told of, by record and sequence."""
        log = TransitionLog.objects.all()
        if path == "/nothing":
            return set()
        if path == "/lights":
            log = log.filter(model_label="testapp.light", kind="transition")
        elif path == "/switched-on":
            log = log.filter(event="switch_on") | log.filter(model_label="testapp.light", kind="created")
        elif path == "/all":
            log = log.filter(kind="transition")
        return set(log.values_list("model_label", "object_pk", "sequence"))

    # --- the judgement ------------------------------------------------------------------------------------

    def _judge(self, endpoints: dict[str, Any]) -> None:
        report = self.report
        report.entries = TransitionLog.objects.count()
        report.received = len(self._whole())
        told: dict[str, dict[tuple[str, str, int], set[str]]] = {path: {} for path in endpoints}
        for got in self._whole():
            data = got.json["data"]
            key = (data["model"], data["pk"], data["sequence"])
            told[got.path].setdefault(key, set()).add(got.message_id)
        for path in endpoints:
            wanted, came = self._matching(path), told[path]
            if missing := wanted - came.keys():
                report.faults.append(
                    f"{path} was never told of {len(missing)} entries, such as {min(missing)}"
                )
            if invented := came.keys() - wanted:
                report.faults.append(
                    f"{path} was told of {len(invented)} that never were, such as {min(invented)}"
                )
            if changed := [key for key, ids in came.items() if len(ids) > 1]:
                report.faults.append(f"{path} got {len(changed)} entries under two ids, such as {changed[0]}")
        report.repeated = report.received - sum(len(came) for came in told.values())
        self._judge_timers()
        promises = WorkItem.objects.filter(kind="effect")
        report.promises = promises.filter(status="done").count()
        if report.promises != promises.count():
            report.faults.append("durable effects were not done")
        report.faults += faults()

    def _judge_timers(self) -> None:
        missed = TransitionLog.objects.filter(model_label="testapp.loan", event="miss")
        counts = Counter(int(pk) for pk in missed.values_list("object_pk", flat=True))
        self.report.timers = sum(counts.values())
        if twice := [pk for pk, count in counts.items() if count > 1]:
            self.report.faults.append(f"timers fired twice on loans {twice[:5]}")
        if wrong := self.left & counts.keys():
            self.report.faults.append(f"timers fired for a state that was left on loans {sorted(wrong)[:5]}")
        if lost := self.late - counts.keys():
            self.report.faults.append(f"timers never fired on loans {sorted(lost)[:5]}")
        if Timer.objects.filter(model_label="testapp.loan", fired=False).exists():
            self.report.faults.append("timers are left over")
