"""How fast entries are sealed, and the log of real entries that is verified afterwards.

Must not know how the package seals.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from django.db.models import Max

from benchmarks import ledger_floors
from benchmarks.databases import LABELS
from benchmarks.models import Invoice
from benchmarks.report import Section, Verdict
from benchmarks.settings import on_database
from benchmarks.subjects import acting_user, make
from benchmarks.timing import Samples
from fsm_lifecycle.ledger.sealing import seal
from fsm_lifecycle.models import TransitionLog

#: The most microseconds that an entry may take: 20,000 a second.
TARGET = 50.0

#: Entries of each record: it is made, and goes there and back twice.
EACH = 5

OURS, BY_HAND = "lifecycle_seal", "leaves by hand, no tree"

Found = dict[tuple[str, str], Samples]


def measure(aliases: Sequence[str], rounds: int, entries: int) -> Section:
    """The entries come in as many portions as there are rounds; both ways seal each portion in turn."""
    samples: Found = {(alias, way): Samples() for alias in aliases for way in (OURS, BY_HAND)}
    records = max(1, entries // rounds // EACH)
    for alias in aliases:  # a first portion that is not counted
        _seal(alias, 1, {})
    for _ in range(rounds):
        for alias in aliases:
            _seal(alias, records, samples)
    rows, verdicts = [], []
    for alias in aliases:
        where = LABELS[alias]
        for way in (OURS, BY_HAND):
            mine = samples[alias, way]
            spread = mine.wall_spread().times(1e6)
            ratio = mine.ratio_to(samples[alias, BY_HAND])
            rows.append([f"{where}, {way}", f"{1e6 / spread.median:,.0f}", str(spread), str(ratio)])
            if way == OURS:
                target = f"sealing, an entry ({1e6 / TARGET:,.0f} a second)"
                verdicts.append(Verdict(target=target, where=where, limit=TARGET, measured=spread, unit="µs"))
    return Section(
        title=f"Sealing {rounds * records * EACH:,} entries",
        about=(
            f"In portions of {records * EACH:,}, written by `fire()`. Ours reads the portion, hashes every entry anew, "
            "writes leaves, tiles and the daily counts, and ends with a checkpoint, unsigned here. By hand: the same "
            "reading and hashing and a leaf for each entry, in one transaction; no tree."
        ),
        columns=["way", "entries/s", "µs per entry", "× by hand"],  # noqa: RUF001
        rows=rows,
        verdicts=verdicts,
    )


def _seal(alias: str, records: int, samples: Mapping[tuple[str, str], Samples]) -> None:
    """Write one portion and seal it, by hand first: that is rolled back."""
    with on_database(alias):
        before = _fill(alias, records)
    ways: dict[str, Callable[[], int]] = {
        BY_HAND: lambda: ledger_floors.seal(alias, before),
        OURS: lambda: seal(alias).sealed,
    }
    for way, task in ways.items():
        wall, cpu = time.perf_counter(), time.process_time()
        number = task()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        if number != records * EACH:
            raise ledger_floors.NotWhole(f"{way} sealed {number} of {records * EACH} entries.")
        if (alias, way) in samples:
            samples[alias, way].wall.append(wall / number)
            samples[alias, way].cpu.append(cpu / number)


def _fill(alias: str, records: int) -> int:
    """Write a portion; return the newest key before it."""
    newest = TransitionLog.objects.using(alias).aggregate(newest=Max("pk"))["newest"] or 0
    user = acting_user()
    make(Invoice, records)
    first = Invoice.objects.order_by("-pk").values_list("pk", flat=True)[records - 1]
    for event in ("send_invoice", "recall") * (EACH // 2):
        Invoice.objects.filter(pk__gte=first).fire(event, actor=user)
    return newest
