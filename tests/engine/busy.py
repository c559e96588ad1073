"""Owns a lock that somebody else holds, and what it is like to wait for it in vain.

Must not know who waits.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from django.db import connection

_ROW = "SELECT id FROM django_content_type ORDER BY id LIMIT 1 FOR UPDATE"


@contextmanager
def held(folder: Path) -> Iterator[Callable[[], None]]:
    """A lock of the database in use that another connection holds; to call what is given waits until time is up."""
    if connection.vendor == "sqlite":
        # The test's own file has one writer, the test. So this is about another file.
        path = str(folder / "held.sqlite3")
        with closing(sqlite3.connect(path, isolation_level=None)) as file:
            file.execute("BEGIN EXCLUSIVE")
            yield lambda: _read(path)
        return
    other = connection.copy()
    try:
        other.set_autocommit(False)
        with other.cursor() as cursor:
            cursor.execute(_ROW)
        yield _wait
        other.rollback()
    finally:
        other.close()


def _read(path: str) -> None:
    with connection.wrap_database_errors, closing(sqlite3.connect(path, timeout=0)) as mine:
        mine.execute("SELECT count(*) FROM sqlite_master")


def _wait() -> None:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL lock_timeout = '50ms'")  # goes with the savepoint
            cursor.execute(_ROW)
            return
        cursor.execute("SET innodb_lock_wait_timeout = 1")
        try:
            cursor.execute(_ROW)
        finally:
            cursor.execute("SET innodb_lock_wait_timeout = DEFAULT")
