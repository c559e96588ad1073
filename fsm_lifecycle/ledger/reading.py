"""Owns reading the ledger at one moment: a transaction that sees nothing of what is committed meanwhile.

It blocks no writer. And conditions that leave the choice of the index alone. Must not know what is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import BooleanField, Case, Q, Value, When


@contextmanager
def reading(using: str) -> Iterator[BaseDatabaseWrapper]:
    """A transaction in which every statement sees the database as the first one does.

    SQLite: a deferred transaction, which is a snapshot with WAL. Elsewhere: REPEATABLE READ, and the database
    refuses to write. Inside a transaction that is open already it adds nothing: that one's isolation counts.
    """
    connection = connections[using]
    if connection.in_atomic_block:
        yield connection
        return
    connection.ensure_connection()  # connecting sets the mode from OPTIONS
    mode = getattr(connection, "transaction_mode", None)
    if connection.vendor == "sqlite":
        connection.transaction_mode = "DEFERRED"  # type: ignore[attr-defined]
    try:
        with transaction.atomic(using=using):
            _isolate(connection)
            yield connection
    finally:
        if connection.vendor == "sqlite":
            connection.transaction_mode = mode  # type: ignore[attr-defined]


def _isolate(connection: BaseDatabaseWrapper) -> None:
    statements = {
        "postgresql": ["SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"],
        # The isolation of the next transaction, which the second statement begins.
        "mysql": [
            "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
            "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
        ],
    }
    with connection.cursor() as cursor:
        for statement in statements.get(connection.vendor, ()):
            cursor.execute(statement)


def unindexed(condition: Q) -> Case:
    """The same condition, in a form for which no index is taken.

    For what is read in the order of another index and ends early: SQLite prefers an equality to an order, and would
    read and sort every entry of a model to find the newest.
    """
    return Case(When(condition, then=Value(True)), default=Value(False), output_field=BooleanField())
