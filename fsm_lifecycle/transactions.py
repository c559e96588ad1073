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

# ER_LOCK_DEADLOCK, https://mariadb.com/kb/en/mariadb-error-codes/
_VICTIM = 1213
# PQTRANS_INERROR, https://www.postgresql.org/docs/current/libpq-status.html
_IN_ERROR = 3


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


def is_spoilt(connection: BaseDatabaseWrapper) -> bool:
    """Whether the open transaction can only be rolled back, though Django may not know it.

    PostgreSQL gives a transaction up at the first error of a statement, also when that is caught, and then answers
    COMMIT with a ROLLBACK. https://www.psycopg.org/psycopg3/docs/api/objects.html#psycopg.ConnectionInfo
    """
    if connection.needs_rollback:
        return True
    if connection.vendor != "postgresql" or connection.connection is None:
        return False
    return int(connection.connection.info.transaction_status) == _IN_ERROR


@contextmanager
def hearing_of_deadlocks(connection: BaseDatabaseWrapper) -> Iterator[list[DatabaseError]]:
    """The deadlocks whose victim the open transaction became inside, caught or not, where that undoes all of it.

    MariaDB and MySQL then roll back the transaction and go on in a new one.
    https://dev.mysql.com/doc/refman/8.4/en/innodb-error-handling.html Elsewhere none: see ``is_spoilt``.
    """
    heard: list[DatabaseError] = []
    if connection.vendor != "mysql":
        yield heard
        return

    def hear(execute: Any, sql: Any, params: Any, many: Any, context: Any) -> Any:
        try:
            return execute(sql, params, many, context)
        except DatabaseError as error:
            if _code(error) == _VICTIM:
                heard.append(error)
            raise

    with connection.execute_wrapper(hear):
        yield heard


class _Sparing:
    """Puts a savepoint before the first query it hears of, and notes whether one failed."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self.connection = connection
        self.began = self.failed = False
        self.savepoint: str | None = None

    def __call__(self, execute: Any, sql: Any, params: Any, many: Any, context: Any) -> Any:
        if not self.began:
            self.began = True
            self.savepoint = self.connection.savepoint()
        try:
            return execute(sql, params, many, context)
        except DatabaseError:
            self.failed = True
            raise


@contextmanager
def sparing(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Inside, a query that fails does not spoil the open transaction. Costs a savepoint where there are queries.

    Only PostgreSQL gives a transaction up for that.
    """
    if connection.vendor != "postgresql" or not connection.in_atomic_block or connection.needs_rollback:
        yield
        return
    heard = _Sparing(connection)
    try:
        with connection.execute_wrapper(heard):
            yield
    finally:
        if heard.savepoint is not None:
            if heard.failed:
                connection.savepoint_rollback(heard.savepoint)
            connection.savepoint_commit(heard.savepoint)


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
