"""What the chain costs while eight processes write: the entries per second that it takes away.

The workers are real processes with connections and records of their own. Must not know how the ways work inside.
"""

from __future__ import annotations

import multiprocessing
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from multiprocessing.synchronize import Barrier
from typing import Any

from benchmarks.databases import LABELS, Databases
from benchmarks.report import Section, Verdict
from benchmarks.settings import configure, on_database
from benchmarks.timing import Spread

PROCESSES = 8
#: Seconds for which each transaction is held open after the entry is written, with the most that may be lost then.
HOLDS = {0.0: 10.0, 0.005: 20.0}
#: Records of each process and way.
OWN = 20
#: Seconds after which a worker that waits for the others gives up, so that one failure cannot hang the run.
PATIENCE = 120

_databases: Databases
_barrier: Barrier


@dataclass(frozen=True)
class Heat:
    """One way on one database, for a while."""

    alias: str
    way: str
    hold: float
    seconds: float


@dataclass(frozen=True)
class Part:
    """What one process takes to all heats: keys of its own records by way, and of the row that all share."""

    program: Sequence[Heat]
    records: Mapping[tuple[str, str], Sequence[int]]
    shared: Mapping[str, int]


@dataclass(frozen=True)
class Written:
    """What one process did in one heat; times are the machine's monotonic clock, the same for all processes."""

    entries: int
    started: float
    ended: float


#: Entries per second, one for each round.
Rates = dict[tuple[str, str, float], list[float]]


def measure(databases: Databases, rounds: int, seconds: float) -> Section:
    """All ways in one set of processes, in turn; the first round is not counted."""
    from benchmarks.chain_ways import UNCHAINED, WAYS

    names = list(WAYS)
    program = [
        Heat(alias, name, hold, seconds)
        for turn in range(rounds + 1)
        for alias in databases
        for hold in HOLDS
        for name in names[turn % len(names) :] + names[: turn % len(names)]
    ]
    rates: Rates = defaultdict(list)
    for heat, written in zip(program, zip(*_run(databases, program), strict=True), strict=True):
        rates[heat.alias, heat.way, heat.hold].append(_per_second(written))
    for found in rates.values():
        del found[0]
    rows, verdicts = [], []
    for alias in databases:
        for name in names:
            row = [f"{LABELS[alias]}, {name}"]
            for hold, limit in HOLDS.items():
                mine = rates[alias, name, hold]
                row.append(f"{Spread.of(mine).median:,.0f}")
                if name not in UNCHAINED:
                    row.append("")
                    continue
                lost = _lost(mine, rates[alias, UNCHAINED[name], hold])
                row.append(str(lost))
                # SQLite has one writer whatever is chained; what all share is there for comparison.
                if alias != "sqlite" and "one chain" not in name:
                    verdicts.append(_verdict(name, hold, LABELS[alias], limit, lost))
            rows.append(row)
    return _section(rows, verdicts)


def _verdict(name: str, hold: float, where: str, limit: float, lost: Spread) -> Verdict:
    held = f", held for {hold * 1000:g} ms" if hold else ""
    what = f"the chain at {PROCESSES} processes, {name}{held}: lost"
    return Verdict(target=what, where=where, limit=limit, measured=lost, unit="%")


def _section(rows: Sequence[Sequence[str]], verdicts: Sequence[Verdict]) -> Section:
    return Section(
        title=f"What the chain costs {PROCESSES} processes that write",
        about=(
            f"Each process moves {OWN} records of its own, there and back, one transaction with one entry after the "
            "other; once as fast as it can, once holding each transaction open for 5 ms after the entry, as a caller "
            "with more to do would. With the chain taken out: the same `fire()`, but the entry's hash is a random "
            "number and the record's row keeps no head. By hand: the same UPDATE and INSERT as plain SQL, so that "
            "there is little else to pay for; without a chain every entry names the same hash before it. One chain "
            "for all: each entry names the one before it in the whole log, so that writers wait for one row. Lost is "
            "the share of the unchained rate, compared round by round."
        ),
        columns=["way", "entries/s", "% lost", "held 5 ms: entries/s", "% lost"],
        rows=rows,
        verdicts=verdicts,
    )


def _per_second(parts: Sequence[Written]) -> float:
    seconds = max(part.ended for part in parts) - min(part.started for part in parts)
    return sum(part.entries for part in parts) / seconds


def _lost(mine: list[float], unchained: list[float]) -> Spread:
    """Percent; less than nothing where noise is larger than the loss."""
    return Spread.of([100 * (1 - rate / full) for rate, full in zip(mine, unchained, strict=True)])


# --- the processes ------------------------------------------------------------------------------------------


def _run(databases: Databases, program: Sequence[Heat]) -> list[list[Written]]:
    parts = _parts(databases, program)
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(PROCESSES)
    with context.Pool(PROCESSES, initializer=_start, initargs=(databases, barrier)) as pool:
        # Each worker waits for all others at the first barrier, so each takes exactly one part.
        return pool.map(_work, parts, chunksize=1)


def _parts(databases: Databases, program: Sequence[Heat]) -> list[Part]:
    from benchmarks.chain_ways import WAYS
    from benchmarks.plain_models import PlainInvoice

    made = {
        (alias, name): _drafts(alias, way.model, PROCESSES * OWN)
        for alias in databases
        for name, way in WAYS.items()
    }
    shared = {alias: _drafts(alias, PlainInvoice, 1)[0] for alias in databases}
    return [
        Part(program, {place: keys[number::PROCESSES] for place, keys in made.items()}, shared)
        for number in range(PROCESSES)
    ]


def _drafts(alias: str, model: Any, count: int) -> list[int]:
    from benchmarks.subjects import make

    with on_database(alias):
        make(model, count)
        return list(model._default_manager.order_by("-pk").values_list("pk", flat=True)[:count])


def _start(databases: Databases, barrier: Barrier) -> None:
    global _databases, _barrier
    _databases, _barrier = databases, barrier
    configure(databases)


def _work(part: Part) -> list[Written]:
    from django.db import connections

    from benchmarks.chain_ways import WAYS
    from benchmarks.subjects import acting_user

    users, loaded = {}, {}
    for (alias, name), keys in part.records.items():
        with on_database(alias):
            users[alias] = acting_user()
            loaded[alias, name] = list(WAYS[name].model._default_manager.filter(pk__in=keys))
    written = []
    for heat in part.program:
        way = WAYS[heat.way]
        with on_database(heat.alias), way.around():
            records = loaded[heat.alias, heat.way]
            written.append(_heat(heat, way, records, users[heat.alias], part.shared[heat.alias]))
    connections.close_all()
    return written


def _heat(heat: Heat, way: Any, records: Sequence[Any], user: Any, shared: int) -> Written:
    from django.db import transaction

    _barrier.wait(timeout=PATIENCE)
    started = now = time.monotonic()
    entries = 0
    for record in cycle(records):
        with transaction.atomic(using=heat.alias):
            way.step(record, user, shared)
            if heat.hold:
                time.sleep(heat.hold)
        entries += 1
        now = time.monotonic()
        if now - started >= heat.seconds:
            break
    return Written(entries, started, now)
