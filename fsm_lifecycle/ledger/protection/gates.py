"""Gates: what the protection lets through, for the length of a block inside one transaction.

- ``delete``: rows of the ledger may be removed (flush, retention).
- ``redact``: a body may be redacted, labels may be emptied.
- ``remap``: a record may be moved along a path that its table does not have, sequence plus one.
- ``load``: a fixture may set state, sequence and head, which is checked before its transaction ends.

Must not know who opens one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Literal

from django.db import DatabaseError, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

Gate = Literal["delete", "redact", "remap", "load"]

#: The table that SQLite's triggers look into. A row is there only inside a transaction that opened a gate.
TABLE: Final = "fsm_lifecycle_gate"
#: The parameter of PostgreSQL, and the session variable of MariaDB and MySQL.
PARAMETER: Final = "fsm_lifecycle.gate"
VARIABLE: Final = "@fsm_lifecycle_gate"


@contextmanager
def gate(connection: BaseDatabaseWrapper, name: Gate) -> Iterator[None]:
    """Inside, and only in this transaction, the database lets through what ``name`` says.

    Raises ``TransactionManagementError`` outside a transaction. Gates do not add up: an inner one closes the outer
    one until it ends.
    """
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError(
            f"The gate {name!r} opens inside a transaction only: wrap this in transaction.atomic()."
        )
    before = _set(connection, name)
    try:
        yield
    finally:
        _close(connection, before)


def _close(connection: BaseDatabaseWrapper, before: str) -> None:
    """Close it, also where Django or the transaction no longer listens: then the rollback to come closes it.

    The variable of MariaDB and MySQL knows no transaction, so it is set past Django, or the connection given up.
    """
    try:
        if connection.vendor != "mysql":
            _set(connection, before)
        elif connection.connection is not None:
            with connection.connection.cursor() as cursor:
                cursor.execute(f"SET {VARIABLE} = %s", [before])
    except (DatabaseError, connection.Database.Error):  # type: ignore[attr-defined]
        if connection.vendor == "mysql":
            connection.close()


def _set(connection: BaseDatabaseWrapper, name: str) -> str:
    """Open one gate and close the others; the empty name closes all. Returns which one was open."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT current_setting(%s, true)", [PARAMETER])
            before = cursor.fetchone()[0]
            cursor.execute("SELECT set_config(%s, %s, true)", [PARAMETER, name])
        elif connection.vendor == "mysql":
            cursor.execute(f"SELECT {VARIABLE}")
            before = cursor.fetchone()[0]
            cursor.execute(f"SET {VARIABLE} = %s", [name])
        elif connection.vendor == "sqlite":
            before = _set_row(connection, name)
        else:
            before = ""  # nothing is protected there
    return str(before or "")


def _set_row(connection: BaseDatabaseWrapper, name: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = %s", [TABLE])
        if cursor.fetchone() is None:
            return ""  # no trigger was ever installed here
        cursor.execute(f"SELECT name FROM {TABLE}")  # noqa: S608 - a constant
        row = cursor.fetchone()
        cursor.execute(f"DELETE FROM {TABLE}")  # noqa: S608 - a constant
        if name:
            cursor.execute(f"INSERT INTO {TABLE} (name) VALUES (%s)", [name])  # noqa: S608 - a constant
    return str(row[0]) if row else ""
