"""Secure deletion: that a database file holds no more of what was overwritten.

SQLite leaves overwritten bytes in the file until their place is needed, and in its write-ahead log until that is begun
anew; both can be told otherwise. The servers have no such switch: PostgreSQL keeps old rows until VACUUM. Must not
know what is overwritten.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

logger = logging.getLogger("fsm_lifecycle")

#: How many milliseconds a checkpoint waits for readers of the old write-ahead log.
PATIENCE = 1000


@contextmanager
def overwriting(using: str) -> Iterator[None]:
    """Inside, SQLite overwrites with zeros what is changed or removed; afterwards its write-ahead log is emptied.

    Wrap the transaction in it. Inside the caller's own transaction the log is emptied when that one has committed.
    """
    connection = connections[using]
    if connection.vendor != "sqlite":
        yield
        return
    before = _pragma(connection, "secure_delete")
    _pragma(connection, "secure_delete = ON")
    try:
        yield
    finally:
        # 2 is FAST; see https://www.sqlite.org/pragma.html#pragma_secure_delete
        _pragma(connection, f"secure_delete = {'FAST' if before == 2 else before}")
    transaction.on_commit(lambda: _empty_log(using), using=using, robust=True)


def _empty_log(using: str) -> None:
    if not empty_log(using):
        logger.warning(
            "Something was redacted in the database %r, and its write-ahead log still holds it, because another "
            "process reads from it. It goes with the next complete checkpoint: PRAGMA wal_checkpoint(TRUNCATE).",
            using,
        )


def empty_log(using: str) -> bool:
    """Move everything from SQLite's write-ahead log into the file and empty it; False when readers are in the way."""
    connection = connections[using]
    if connection.vendor != "sqlite":
        return True
    timeout = _pragma(connection, "busy_timeout")
    try:
        _pragma(connection, f"busy_timeout = {PATIENCE}")
        return _pragma(connection, "wal_checkpoint(TRUNCATE)") == 0
    except sqlite3.Error:  # this connection itself is reading
        return False
    finally:
        _pragma(connection, f"busy_timeout = {timeout}")


def keeps_free_pages(using: str) -> bool:
    """Whether older bytes may remain in free places of the file, because SQLite did not always overwrite them."""
    connection = connections[using]
    return connection.vendor == "sqlite" and _pragma(connection, "secure_delete") != 1


def _pragma(connection: BaseDatabaseWrapper, words: str) -> int:
    """What SQLite answers. The driver is asked: Django's cursor refuses in a transaction that must roll back."""
    connection.ensure_connection()
    row = connection.connection.execute(f"PRAGMA {words}").fetchone()
    return int(row[0]) if row else 0
