"""The command: which databases, how long, which sections, where to write.

Must not know how anything is measured. Modules that need Django configured are imported once it is.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.databases import ENGINES, Databases, DatabaseUnavailable, temporary_databases
from benchmarks.report import Section, document, machine_facts
from benchmarks.settings import configure, create_tables

if TYPE_CHECKING:
    from benchmarks.ledger import LedgerSize


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much of everything a run does."""

    rounds: int
    records: int
    calls: int
    loaded: int
    bulk_rounds: int
    bulk_rows: int
    heats: int
    granted: int
    granted_rounds: int
    visible_rounds: int
    ledger_rounds: int
    ledger_dear_rounds: int
    ledger_heat: float
    ledger_updated: int
    ledger_entries: int
    ledger_rows: int
    webhook_rounds: int
    webhooks: int
    timers: int


FULL = Size(
    rounds=40,
    records=50,
    calls=5000,
    loaded=1000,
    bulk_rounds=5,
    bulk_rows=10_000,
    heats=100,
    granted=100_000,
    granted_rounds=20,
    visible_rounds=5,
    ledger_rounds=15,
    ledger_dear_rounds=5,
    ledger_heat=0.5,
    ledger_updated=1000,
    ledger_entries=100_000,
    ledger_rows=1_000_000,
    webhook_rounds=5,
    webhooks=2000,
    timers=10_000,
)
QUICK = Size(
    rounds=3,
    records=5,
    calls=200,
    loaded=50,
    bulk_rounds=1,
    bulk_rows=100,
    heats=3,
    granted=300,
    granted_rounds=1,
    visible_rounds=1,
    ledger_rounds=1,
    ledger_dear_rounds=1,
    ledger_heat=0.02,
    ledger_updated=20,
    ledger_entries=200,
    ledger_rows=20_000,
    webhook_rounds=1,
    webhooks=50,
    timers=60,
)
#: Those of which `--rounds` may make fewer, never more.
_DEAR = (
    "bulk_rounds",
    "granted_rounds",
    "visible_rounds",
    "ledger_rounds",
    "ledger_dear_rounds",
    "webhook_rounds",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and write the page where asked. Exit 0 also when a target is missed; 2 on bad input."""
    options = _parser().parse_args(arguments)
    size = QUICK if options.quick else FULL
    if options.rounds:
        fewer = {name: min(options.rounds, getattr(size, name)) for name in _DEAR}
        size = replace(size, rounds=options.rounds, **fewer)
    try:
        with temporary_databases(options.database) as databases:
            page = _measure(databases, size, options.only)
    except DatabaseUnavailable as error:
        print(error, file=sys.stderr)
        return 2
    print(page)
    if options.write:
        options.write.write_text(page, encoding="utf-8")
    return 0


def _measure(databases: Databases, size: Size, only: Sequence[str]) -> str:
    configure(databases)
    from django.db import connections

    from benchmarks import (
        access,
        admin_pages,
        api,
        bulk,
        ledger,
        micro,
        racing,
        timers,
        transitions,
        webhooks,
    )

    aliases = list(databases)
    load = os.getloadavg()[0]
    parts: dict[str, Callable[[], list[Section]]] = {
        "transitions": lambda: transitions.measure(aliases, size.rounds, size.records),
        "questions": lambda: [micro.measure_questions(aliases[0], size.rounds, size.calls)],
        "loading": lambda: [micro.measure_loading(aliases, size.rounds, size.loaded)],
        "bulk": lambda: [bulk.measure(aliases, size.bulk_rounds, size.bulk_rows)],
        "racing": lambda: [racing.measure(databases, size.heats)],
        "access": lambda: access.measure(
            aliases, size.granted_rounds, size.visible_rounds, size.records, size.granted
        ),
        "webhooks": lambda: [webhooks.measure(aliases, size.webhook_rounds, size.webhooks)],
        "timers": lambda: [timers.measure(databases, size.timers)],
        "api": lambda: api.measure(aliases, size.rounds),
        # Last: these empty the databases.
        "pages": lambda: admin_pages.measure(aliases, size.ledger_rounds, size.ledger_rows),
        "ledger": lambda: ledger.measure(databases, _ledger_size(size)),
    }
    sections: list[Section] = []
    try:
        for alias in aliases:
            if alias != "postgres_async":  # the same database as postgres
                create_tables(alias)
        for name, part in parts.items():
            if name in only:
                started = time.monotonic()
                sections += part()
                print(f"{name} measured in {time.monotonic() - started:.0f} s", file=sys.stderr)
        return document(sections, machine_facts(_postgres_version(aliases), load), _how(size, only))
    finally:
        connections.close_all()


def _ledger_size(size: Size) -> LedgerSize:
    from benchmarks.ledger import LedgerSize

    return LedgerSize(
        rounds=size.ledger_rounds,
        dear=size.ledger_dear_rounds,
        heat=size.ledger_heat,
        updated=size.ledger_updated,
        entries=size.ledger_entries,
        rows=size.ledger_rows,
    )


def _postgres_version(aliases: Sequence[str]) -> str | None:
    if "postgres" not in aliases:
        return None
    from django.db import connections

    with connections["postgres"].cursor() as cursor:
        cursor.execute("SHOW server_version")
        return str(cursor.fetchone()[0])


def _how(size: Size, only: Sequence[str]) -> str:
    left_out = [name for name in SECTIONS if name not in only]
    return (
        f"Rounds: {size.rounds}; for many records at once: {size.bulk_rounds}; for roles: {size.granted_rounds}, "
        f"and {size.visible_rounds} for what a user may see. All ways run in turn within each "
        "round, and each round begins with another way. SQLite is a file in WAL mode with "
        "synchronous=NORMAL and IMMEDIATE transactions; PostgreSQL runs with its own settings, once with "
        "synchronous_commit on and once off. The databases are made for the run and dropped after it."
        + (f" Left out of this run: {', '.join(left_out)}." if left_out else "")
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure what a transition costs beside hand-written code and other packages.",
    )
    parser.add_argument(
        "--database",
        type=_list_of(ENGINES),
        default=list(ENGINES),
        metavar=",".join(ENGINES),
        help="which databases, separated by commas (default: both)",
    )
    parser.add_argument("--quick", action="store_true", help="tiny counts: does it run at all")
    parser.add_argument("--rounds", type=_positive, help="rounds instead of the preset number")
    parser.add_argument(
        "--only",
        type=_list_of(SECTIONS),
        default=list(SECTIONS),
        metavar=",".join(SECTIONS),
        help="which sections, separated by commas (default: all)",
    )
    parser.add_argument("--write", type=_page, metavar="FILE", help="also write the Markdown page there")
    return parser


SECTIONS = (
    "transitions",
    "questions",
    "loading",
    "bulk",
    "racing",
    "access",
    "webhooks",
    "timers",
    "api",
    "pages",
    "ledger",
)


def _list_of(known: Sequence[str]) -> Callable[[str], list[str]]:
    def parse(text: str) -> list[str]:
        names = text.split(",")
        unknown = [name for name in names if name not in known]
        if unknown:
            raise argparse.ArgumentTypeError(f"{', '.join(unknown)} is not among {', '.join(known)}")
        return names

    return parse


def _page(text: str) -> Path:
    path = Path(text)
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"the folder {path.parent} does not exist; make it first")
    return path


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number of at least 1")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
