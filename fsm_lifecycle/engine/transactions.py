"""The transaction of a firing, on each database, and what its errors mean.

Must not know what is written inside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DatabaseError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

# SQLite: BUSY (5) and LOCKED (6), the low byte of the extended code. https://www.sqlite.org/rescode.html
_SQLITE_BUSY = (5, 6)
# serialization_failure, deadlock_detected, lock_not_available.
# https://www.postgresql.org/docs/current/errcodes-appendix.html
_POSTGRES_BUSY = ("40001", "40P01", "55P03")
# ER_CHECKREAD (MariaDB snapshot isolation), ER_LOCK_WAIT_TIMEOUT, ER_LOCK_DEADLOCK.
_MYSQL_BUSY = (1020, 1205, 1213)


def is_busy(error: BaseException) -> bool:
    """Whether a database error only says that another transaction was in the way."""
    if not isinstance(error, DatabaseError):
        return False
    cause = error.__cause__
    code = getattr(cause, "sqlite_errorcode", None)
    if code is not None:
        return code & 0xFF in _SQLITE_BUSY
    state = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    if state is not None:
        return state in _POSTGRES_BUSY
    return bool(error.args) and error.args[0] in _MYSQL_BUSY


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
