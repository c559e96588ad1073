"""Eight processes, one record: who wins, how fast the attempts are, and whether anything else happens.

The workers are real processes with connections of their own. Must not know how the ways work inside.
"""

from __future__ import annotations

import multiprocessing
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from typing import Any

from benchmarks.databases import LABELS, Databases
from benchmarks.report import Section
from benchmarks.settings import configure, on_database
from benchmarks.timing import Spread

PROCESSES = 8
#: Seconds after which a worker that waits for the others gives up, so that one failure cannot hang the run.
PATIENCE = 120

OURS = "fire()"
BY_HAND = "hand-written ORM"
WON, REFUSED = "won", "refused"

_databases: Databases
_barrier: Barrier


@dataclass(frozen=True)
class Heat:
    """One race: everybody has loaded this record as a draft and tries to send it."""

    alias: str
    way: str
    pk: int


@dataclass(frozen=True)
class Attempt:
    """What one process met in one heat; times are the machine's monotonic clock, the same for all processes."""

    outcome: str
    started: float
    ended: float


def measure(databases: Databases, heats: int) -> Section:
    """Run all heats in one set of processes, the two ways in turn."""
    program = [
        Heat(alias, way, pk)
        for alias in databases
        for pair in zip(_drafts(alias, OURS, heats), _drafts(alias, BY_HAND, heats), strict=True)
        for way, pk in zip((OURS, BY_HAND), pair, strict=True)
    ]
    attempts = _run(databases, program)
    rows = []
    for alias in databases:
        for way in (OURS, BY_HAND):
            chosen = [number for number, heat in enumerate(program) if (heat.alias, heat.way) == (alias, way)]
            per_heat = [[worker[number] for worker in attempts] for number in chosen]
            logged = sum(_log_rows(alias, way, program[number].pk) for number in chosen)
            rows.append([f"{LABELS[alias]}, {way}", *_row(per_heat, logged)])
    return Section(
        title=f"{PROCESSES} processes racing for one record",
        about=(
            f"{heats} records, each loaded as a draft by {PROCESSES} processes that start together and try to "
            "send it. One may win; refusals are what the others should see; anything else is an error. "
            "Attempts per second count from the first start to the last end of each race. `fire()` also keeps a row "
            "for every refusal (who, what, why), which the hand-written version does not."
        ),
        columns=["way", "records", "winners", "log rows", "refused", "errors", "attempts/s"],
        rows=rows,
    )


def _row(heats: list[list[Attempt]], logged: int) -> list[str]:
    outcomes = Counter(attempt.outcome for heat in heats for attempt in heat)
    speeds = [
        len(heat) / (max(attempt.ended for attempt in heat) - min(attempt.started for attempt in heat))
        for heat in heats
    ]
    errors = {name: count for name, count in outcomes.items() if name not in (WON, REFUSED)}
    shown = ", ".join(f"{count} {name}" for name, count in sorted(errors.items())) or "0"
    speed = Spread.of(speeds)
    per_second = f"{speed.median:.0f} ({speed.low:.0f}–{speed.high:.0f})"
    return [str(len(heats)), str(outcomes[WON]), str(logged), str(outcomes[REFUSED]), shown, per_second]


def _drafts(alias: str, way: str, count: int) -> list[int]:
    from benchmarks.models import Invoice
    from benchmarks.plain_models import PlainInvoice
    from benchmarks.subjects import make

    model: Any = Invoice if way == OURS else PlainInvoice
    with on_database(alias):
        make(model, count)
        return list(model._default_manager.order_by("-pk").values_list("pk", flat=True)[:count])


def _log_rows(alias: str, way: str, pk: int) -> int:
    from benchmarks.models import Invoice
    from benchmarks.plain_models import PlainLog

    with on_database(alias):
        if way == OURS:
            return sum(entry.kind == "transition" for entry in Invoice.objects.get(pk=pk).log)
        return PlainLog.objects.filter(table="plaininvoice", object_id=pk).count()


def _run(databases: Databases, program: Sequence[Heat]) -> list[list[Attempt]]:
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(PROCESSES)
    with context.Pool(PROCESSES, initializer=_start, initargs=(databases, barrier)) as pool:
        # Each worker waits for all others at the first barrier, so each takes exactly one copy.
        return pool.map(_race, [list(program)] * PROCESSES, chunksize=1)


def _start(databases: Databases, barrier: Barrier) -> None:
    global _databases, _barrier
    _databases, _barrier = databases, barrier
    configure(databases)


def _race(program: list[Heat]) -> list[Attempt]:
    from django.db import connections

    attempts = []
    for heat in program:
        with on_database(heat.alias):
            attempts.append(_attempt(*_ready(heat)))
    connections.close_all()
    return attempts


def _ready(heat: Heat) -> tuple[Callable[[], object], tuple[type[Exception], ...]]:
    """The attempt with its record and user loaded, and the exceptions that mean "another was first"."""
    from benchmarks import floors, ours
    from benchmarks.subjects import Refused, acting_user
    from fsm_lifecycle.exceptions import InvalidTransition, StaleState

    subject = ours.GUARDED if heat.way == OURS else floors.ORM_SUBJECT
    record: Any = subject.model._default_manager.get(pk=heat.pk)
    user = acting_user()
    return lambda: subject.send(record, user), (Refused, InvalidTransition, StaleState)


def _attempt(attempt: Callable[[], object], refusals: tuple[type[Exception], ...]) -> Attempt:
    _barrier.wait(timeout=PATIENCE)
    started = time.monotonic()
    try:
        attempt()
        outcome = WON
    except refusals:
        outcome = REFUSED
    except Exception as error:  # whatever it is, it is what this measures
        outcome = type(error).__name__
    return Attempt(outcome, started, time.monotonic())
