"""How long a whole log takes to verify and how much memory: each run in a process of its own.

Must not know how the package verifies.
"""

from __future__ import annotations

import multiprocessing
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.databases import LABELS, Databases
from benchmarks.report import Section, Verdict
from benchmarks.settings import configure, on_database
from benchmarks.timing import Spread

#: The most seconds for 100,000 entries, plain and deep, and the most MB that a process may ever have held.
SECONDS = {False: 10.0, True: 20.0}
MEMORY = 150.0

OURS, BY_HAND = "lifecycle_verify", "by hand"


@dataclass(frozen=True)
class Run:
    """One verification in one process."""

    entries: int
    seconds: float
    before: float
    """MB held at most when it began."""
    peak: float


def measure(databases: Databases, aliases: Sequence[str], rounds: int) -> Section:
    """Both ways, plain and deep, in turn."""
    ways = [(alias, way, deep) for alias in aliases for deep in SECONDS for way in (OURS, BY_HAND)]
    runs: dict[tuple[str, str, bool], list[Run]] = defaultdict(list)
    for _ in range(rounds):
        for place in ways:
            runs[place].append(_in_a_process(databases, *place))
    rows, verdicts = [], []
    for alias, way, deep in ways:
        mine, floor = runs[alias, way, deep], runs[alias, BY_HAND, deep]
        seconds = Spread.of([run.seconds for run in mine])
        peak = Spread.of([run.peak for run in mine])
        ratio = Spread.of([one.seconds / other.seconds for one, other in zip(mine, floor, strict=True)])
        name = f"{way} --deep" if deep and way == OURS else f"{way}, deep" if deep else way
        rows.append(
            [
                f"{LABELS[alias]}, {name}",
                str(seconds),
                f"{mine[0].entries / seconds.median:,.0f}",
                str(ratio),
                f"{mine[0].before:.0f}",
                f"{peak.median:.0f}",
            ]
        )
        if way == OURS:
            what = f"{name}, {mine[0].entries:,} entries"
            where = LABELS[alias]
            verdicts.append(
                Verdict(target=what, where=where, limit=SECONDS[deep], measured=seconds, unit="s")
            )
            verdicts.append(
                Verdict(target=f"{what}: memory", where=where, limit=MEMORY, measured=peak, unit="MB")
            )
    return Section(
        title="Verifying them",
        about=(
            "The log that was just sealed, each run in a new process. By hand: entries read with SQL and hashed with "
            "`json` and `hashlib`, each chain followed and held against the record's row, bodies too where deep; "
            "nothing about leaves, tree, checkpoints, steps that the table does not have or the database's triggers, "
            "and every head kept in memory. MB are the most that the process held: when everything was imported, and "
            "in the end."
        ),
        columns=["way", "s", "entries/s", "× by hand", "MB before", "MB at most"],  # noqa: RUF001
        rows=rows,
        verdicts=verdicts,
    )


def _in_a_process(databases: Databases, alias: str, way: str, deep: bool) -> Run:
    context = multiprocessing.get_context("spawn")
    with context.Pool(1, initializer=configure, initargs=(databases,)) as pool:
        return pool.apply(_run, (alias, way, deep))


def _run(alias: str, way: str, deep: bool) -> Run:
    from django.db import connections

    from benchmarks import ledger_floors
    from benchmarks.models import Invoice
    from fsm_lifecycle.ledger.verify import verify

    with on_database(alias):
        connections[alias].ensure_connection()
        before, started = _peak(), time.perf_counter()
        if way == BY_HAND:
            entries = ledger_floors.verify(alias, Invoice._meta.db_table, deep=deep)
        else:
            verification = verify(alias, deep=deep)
            for finding in verification:
                raise ledger_floors.NotWhole(f"{alias}: {finding}")
            entries = verification.checked["entries"]
        run = Run(entries, time.perf_counter() - started, before, _peak())
    connections.close_all()
    return run


def _peak() -> float:
    """The most MB that this process ever held."""
    status = Path("/proc/self/status")
    if status.exists():  # what getrusage says there is never less than the parent's at the start
        held = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(held.split()[1]) / 1024
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1024 * 1024 if sys.platform == "darwin" else 1024)
