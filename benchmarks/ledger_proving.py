"""How long one entry takes to prove in a large tree.

Must not know how a proof is made.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from django.db import connections

from benchmarks.databases import LABELS
from benchmarks.ledger_rows import Log
from benchmarks.report import Section, Verdict
from benchmarks.timing import Task, interleave
from fsm_lifecycle.ledger import prove
from fsm_lifecycle.ledger.merkle import verify_inclusion
from fsm_lifecycle.ledger.tiles import HEIGHT, Tiles

#: The most milliseconds of a proof.
TARGET = 10.0
CALLS = 20

PATH, BUNDLE, BY_HAND = "the path from tiles", "prove(): the whole bundle", "by hand: the tiles' rows alone"


def measure(logs: Sequence[Log], rounds: int) -> Section:
    """Any leaf's path, bundles of entries that are true, and the least that has to be read for either."""
    tasks: dict[str, Task] = {}
    for log in logs:
        for way, ask in _ways(log).items():
            tasks[f"{log.alias} {way}"] = _repeat(ask)
    samples = interleave(tasks, rounds)
    rows, verdicts = [], []
    for log in logs:
        where = LABELS[log.alias]
        for way in (PATH, BUNDLE, BY_HAND):
            mine = samples[f"{log.alias} {way}"]
            spread = mine.wall_spread().times(1000)
            rows.append(
                [f"{where}, {way}", str(spread), str(mine.ratio_to(samples[f"{log.alias} {BY_HAND}"]))]
            )
            if way != BY_HAND:
                verdicts.append(
                    Verdict(
                        target=f"proving one of {log.entries:,} entries, {way}",
                        where=where,
                        limit=TARGET,
                        measured=spread,
                        unit="ms",
                    )
                )
    return Section(
        title=f"Proving one of {logs[0].entries:,} entries",
        about=(
            "Anywhere in the tree, nothing kept in memory from one to the next. The bundle is also read back and "
            "checked before it is given out. By hand: the rows of the tiles that hold the path, by one SELECT."
        ),
        columns=["way", "ms", "× by hand"],  # noqa: RUF001
        rows=rows,
        verdicts=verdicts,
    )


def _ways(log: Log) -> dict[str, Callable[[], object]]:
    dice = random.Random(1)
    root = Tiles(log.alias).root(log.entries)

    def path() -> None:
        index = dice.randrange(log.entries)
        tiles = Tiles(log.alias)
        if not tiles.inclusion(index, log.entries):
            raise AssertionError(f"Leaf {index} has no path.")

    def by_hand() -> object:
        index = dice.randrange(log.entries)
        places = [
            f"(level = {level} AND tile_index = {index >> (HEIGHT * (level + 1))})" for level in range(3)
        ]
        with connections[log.alias].cursor() as cursor:
            cursor.execute(f"SELECT data FROM fsm_lifecycle_logtile WHERE {' OR '.join(places)}")
            return cursor.fetchall()

    # Once and for all: what is timed is true.
    index = log.entries // 3
    leaf = Tiles(log.alias).read(0, index)
    if not verify_inclusion(leaf, index, log.entries, Tiles(log.alias).inclusion(index, log.entries), root):
        raise AssertionError(f"The path of leaf {index} does not lead to the root.")
    return {PATH: path, BUNDLE: lambda: prove.prove(dice.choice(log.proven), log.alias), BY_HAND: by_hand}


def _repeat(ask: Callable[[], object]) -> Task:
    def run() -> int:
        for _ in range(CALLS):
            ask()
        return CALLS

    return run
