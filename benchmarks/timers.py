"""How many due timers a second are set and worked off, by one process and by four.

The workers are real processes with connections of their own. Must not know how timers work inside.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from multiprocessing.synchronize import Barrier
from typing import Any

from benchmarks.databases import LABELS, Databases
from benchmarks.report import Section
from benchmarks.settings import configure, on_database

#: Seconds after which a worker that waits for the others gives up.
PATIENCE = 120

_barrier: Barrier


def measure(databases: Databases, number: int) -> Section:
    """On each database as many timers, of an event without effects and of one with, by one worker and by four."""
    from benchmarks.models import TimedTask, TimedTaskWithEffect

    rows = []
    with _nobody_else_works():
        for alias in databases:
            ways = ((TimedTask, "no effect", number), (TimedTaskWithEffect, "an effect inside", number // 10))
            for model, kind, count in ways:
                for workers in (1, 4):
                    with on_database(alias):
                        rows.append(_row(databases, alias, model, kind, workers, count))
    return Section(
        title=f"{number:,} timers that are due at once",
        about=(
            f"{number:,} records whose time is over. *Set*: the periodic look finds them and writes their timers. "
            "*Fired*: so many processes work them off; each looks at the records again under their locks, fires, and "
            "ends the timer in the same transaction. Events without an effect inside the transaction fire together; "
            "others one by one, and a tenth as many of them. *Once* says that each record has exactly one entry of "
            "it, and no timer is left. "
            "Counted from the first start to the last end."
        ),
        columns=["way", "workers", "set/s", "fired/s", "seconds", "once"],
        rows=rows,
    )


@contextmanager
def _nobody_else_works() -> Iterator[None]:
    from django.test import override_settings

    with override_settings(FSM_LIFECYCLE={"DISPATCH": "command"}):
        yield


def _row(databases: Databases, alias: str, model: Any, kind: str, workers: int, number: int) -> list[str]:
    from django.utils import timezone

    from fsm_lifecycle.models import Timer, TransitionLog
    from fsm_lifecycle.timers import keeping

    before = model.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    model.objects.bulk_create([model() for _ in range(number)], batch_size=1000)
    mine = model.objects.filter(pk__gt=before)
    mine.update(state_since=timezone.now() - timedelta(hours=2))
    started = time.perf_counter()
    keeping.reconcile(alias)
    setting = time.perf_counter() - started
    assert Timer.objects.count() == number
    spans = _run(databases, alias, workers)
    seconds = max(end for _, end in spans) - min(start for start, _ in spans)
    entries = TransitionLog.objects.filter(model_label=model._meta.label_lower, event="lapse")
    once = (
        mine.filter(state="late", lifecycle_sequence=2).count() == number
        and entries.filter(sequence=2).count() == entries.count() == model.objects.count()
        and not Timer.objects.exists()
    )
    return [
        f"{LABELS[alias]}, {kind}",
        str(workers),
        f"{number / setting:,.0f}",
        f"{number / seconds:,.0f}",
        f"{seconds:.1f}",
        "yes" if once else "NO",
    ]


def _run(databases: Databases, alias: str, workers: int) -> list[tuple[float, float]]:
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(workers)
    with context.Pool(workers, initializer=_start, initargs=(databases, barrier)) as pool:
        return pool.map(_work_off, [alias] * workers, chunksize=1)


def _start(databases: Databases, barrier: Barrier) -> None:
    global _barrier
    _barrier = barrier
    configure(databases)
    from django.conf import settings

    settings.FSM_LIFECYCLE = {"DISPATCH": "command"}


def _work_off(alias: str) -> tuple[float, float]:
    from django.db import connections

    from fsm_lifecycle.dispatch.working import drain
    from fsm_lifecycle.timers.firing import QUEUE

    with on_database(alias):
        connections[alias].ensure_connection()
        _barrier.wait(timeout=PATIENCE)
        started = time.monotonic()
        drain(QUEUE, alias)
        ended = time.monotonic()
    connections.close_all()
    return started, ended
