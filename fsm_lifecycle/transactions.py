"""The transaction of a firing, on each database, and what its errors mean.

Must not know what is written inside it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from django.db import DatabaseError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from fsm_lifecycle.exceptions import StaleState

# Refused at once, because two transactions cannot both go on: worth another try.
# SQLite: SQLITE_BUSY_SNAPSHOT, https://www.sqlite.org/rescode.html. PostgreSQL: serialization_failure,
# deadlock_detected, https://www.postgresql.org/docs/current/errcodes-appendix.html. MariaDB and MySQL:
# ER_CHECKREAD (snapshot isolation), ER_LOCK_DEADLOCK.
_CONFLICTS = frozenset({517, "40001", "40P01", 1020, 1213})
# The database has waited as long as it was told to. SQLite: BUSY and LOCKED. PostgreSQL: lock_not_available. MariaDB
# and MySQL: ER_LOCK_WAIT_TIMEOUT.
_TIMEOUTS = frozenset({5, 6, "55P03", 1205})


def _code(error: BaseException) -> Any:
    """What the driver calls the error: SQLite's extended code, PostgreSQL's SQLSTATE, MySQL's number."""
    if not isinstance(error, DatabaseError):
        return None
    cause = error.__cause__
    for name in ("sqlite_errorcode", "sqlstate", "pgcode"):
        if (code := getattr(cause, name, None)) is not None:
            return code
    return error.args[0] if error.args and isinstance(error.args[0], int) else None


def is_conflict(error: BaseException) -> bool:
    """Whether the database refused at once what cannot go on beside another transaction."""
    return _code(error) in _CONFLICTS


def is_busy(error: BaseException) -> bool:
    """Whether a database error only says that another transaction was in the way."""
    code = _code(error)
    if code in _CONFLICTS or code in _TIMEOUTS:
        return True
    return isinstance(error.__cause__, sqlite3.Error) and isinstance(code, int) and code & 0xFF in _TIMEOUTS


@contextmanager
def busy_is_stale(what: str) -> Iterator[None]:
    """Inside, a database that is too busy raises ``StaleState``; ``what`` names what was not done."""
    try:
        yield
    except DatabaseError as error:
        if not is_busy(error):
            raise
        raise StaleState(
            f"{what} was not done, because another transaction held the record or the database. Load it again and "
            f"try again."
        ) from error


def undoable(using: str) -> AbstractContextManager[None]:
    """Inside an open transaction a savepoint, so that what is refused does not spoil it; elsewhere nothing."""
    if not connections[using].in_atomic_block:
        return nullcontext()
    return transaction.atomic(using=using)


@contextmanager
def writing(using: str, *, savepoint: bool) -> Iterator[BaseDatabaseWrapper]:
    """A transaction that means to write: the outermost one, or a part of the one that is open.

    Without ``savepoint``, an exception inside an open transaction makes the whole of it roll back, so the
    caller must raise refusals only after leaving.

    SQLite begins deferred unless told otherwise, and a reader that turns into a writer is then refused at
    once, whatever the timeout. So the outermost transaction is begun IMMEDIATE: it waits its turn.
    """
    connection = connections[using]
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        with transaction.atomic(using=using, savepoint=savepoint):
            yield connection
        return
    connection.ensure_connection()  # connecting sets the mode from OPTIONS
    mode = connection.transaction_mode  # type: ignore[attr-defined]
    block = transaction.atomic(using=using, savepoint=savepoint)
    connection.transaction_mode = "IMMEDIATE"  # type: ignore[attr-defined]
    try:
        block.__enter__()
    finally:
        connection.transaction_mode = mode  # type: ignore[attr-defined]
    try:
        yield connection
    except BaseException as error:
        block.__exit__(type(error), error, error.__traceback__)
        raise
    else:
        block.__exit__(None, None, None)
