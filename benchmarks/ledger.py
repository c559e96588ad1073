"""The ledger: what it costs those who write, and how fast it is sealed, verified, proven and read.

Must not know how any of it is measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib.auth import get_user_model
from django.core.management import call_command

from benchmarks import (
    chain_cost,
    guard_cost,
    ledger_proving,
    ledger_reading,
    ledger_rows,
    ledger_sealing,
    ledger_verifying,
)
from benchmarks.databases import Databases
from benchmarks.report import Section
from benchmarks.settings import USER, on_database


@dataclass(frozen=True, kw_only=True)
class LedgerSize:
    """How much of everything is done with the ledger."""

    rounds: int
    """Rounds of what is quick; of what is dear, `dear`."""
    dear: int
    heat: float
    """Seconds for which the processes write in one way."""
    updated: int
    """Rows of an unrelated UPDATE."""
    entries: int
    """Entries that are sealed and verified."""
    rows: int
    """Entries of the log that is read and proven."""


def measure(databases: Databases, size: LedgerSize) -> list[Section]:
    """Everything about the ledger. It empties the databases, so it comes last."""
    aliases = list(databases)
    # What is not written in small transactions is done once on PostgreSQL: both of its aliases open the same database.
    once = [alias for alias in aliases if alias != "postgres_async"]
    _empty(once)
    writing = [
        guard_cost.measure(once, size.rounds, size.updated),
        chain_cost.measure(databases, size.rounds, size.heat),
    ]
    _empty(once)
    working = [
        ledger_sealing.measure(once, size.dear, size.entries),
        ledger_verifying.measure(databases, once, size.dear),
    ]
    _empty(once)
    logs = [ledger_rows.populate(alias, size.rows) for alias in once]
    reading = [ledger_proving.measure(logs, size.dear), *ledger_reading.measure(logs, size.rounds)]
    return [*writing, *working, *reading]


def _empty(aliases: Sequence[str]) -> None:
    """As just after `create_tables`."""
    for alias in aliases:
        with on_database(alias):
            call_command("flush", database=alias, interactive=False, purge_lifecycle_log=True, verbosity=0)
            get_user_model()._default_manager.create(username=USER)
