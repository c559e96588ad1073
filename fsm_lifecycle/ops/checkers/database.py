"""What can be wrong with the database itself: migrations, SQLite's settings, the protection. Must not know records."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import connections
from django.db.migrations.exceptions import InconsistentMigrationHistory
from django.db.migrations.loader import MigrationLoader

from fsm_lifecycle import conf
from fsm_lifecycle.checks.ledger import PATIENCE
from fsm_lifecycle.ledger import protection
from fsm_lifecycle.ops.problem import Problem

SHOWN = 10


def migrations(using: str) -> Iterator[Problem]:
    """Migrations that have not been applied, of any app."""
    loader = MigrationLoader(connections[using])
    try:
        loader.check_consistent_history(connections[using])
    except InconsistentMigrationHistory as error:
        yield Problem(
            "MIGRATIONS_INCONSISTENT",
            str(error),
            "Mend the table django_migrations, then run: manage.py migrate",
        )
    names = sorted(".".join(node) for node in loader.graph.nodes if node not in loader.applied_migrations)
    if names:
        yield Problem(
            "MIGRATIONS_UNAPPLIED",
            f"{_some(names)} not applied to “{using}”.",
            f"Run: manage.py migrate --database {using}",
        )


def sqlite(using: str) -> Iterator[Problem]:
    """Settings with which SQLite's writers fail at once instead of waiting for their turn."""
    connection = connections[using]
    if connection.vendor != "sqlite":
        return
    connection.ensure_connection()
    mode = str(getattr(connection, "transaction_mode", None) or "DEFERRED").upper()
    if mode not in ("IMMEDIATE", "EXCLUSIVE"):
        yield Problem(
            "SQLITE_TRANSACTION_MODE",
            f"Transactions in “{using}” begin {mode}. One that reads first and then writes is refused at once when "
            f"another has written meanwhile.",
            f'Add "transaction_mode": "IMMEDIATE" to the OPTIONS of DATABASES["{using}"].',
        )
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA journal_mode")
        journal = str(cursor.fetchone()[0]).lower()
        cursor.execute("PRAGMA busy_timeout")
        waits = int(cursor.fetchone()[0]) / 1000
    if journal not in ("wal", "memory"):  # a database in memory has no other journal
        yield Problem(
            "SQLITE_JOURNAL",
            f"The journal of “{using}” is in mode {journal}, so whoever reads keeps others from writing.",
            f'Add "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;" to the OPTIONS of '
            f'DATABASES["{using}"].',
        )
    if waits < PATIENCE:
        yield Problem(
            "SQLITE_TIMEOUT",
            f"Writers in “{using}” give up after {waits:g} s, and under load a turn may take longer.",
            f'Add "timeout": {PATIENCE} to the OPTIONS of DATABASES["{using}"].',
        )


def protected(using: str) -> Iterator[Problem]:
    """Triggers that are missing, of an older table, or turned off."""
    connection = connections[using]
    if not protection.possible(connection):
        yield Problem(
            "PROTECTION_IMPOSSIBLE",
            f"“{using}” is of a kind ({connection.vendor}) that the package has no protection for.",
            "Use SQLite, PostgreSQL, MariaDB or MySQL.",
        )
        return
    if not conf.database_guard():
        yield Problem(
            "PROTECTION_OFF",
            "FSM_LIFECYCLE['DATABASE_GUARD'] is False: the database lets anything change states and the log.",
            f"Remove the setting and run: manage.py migrate --database {using}",
        )
    for code, faults in (
        ("PROTECTION_MISSING", protection.missing(connection)),
        ("PROTECTION_OUTDATED", protection.outdated(connection)),
    ):
        for fault in faults:
            yield Problem(code, fault, f"Run: manage.py migrate --database {using}")


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:SHOWN])
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{shown}{more} {'is' if len(names) == 1 else 'are'}"
