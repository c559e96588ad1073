"""Owns the way round the database's protection, for tests that need a damaged ledger."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db.backends.base.base import BaseDatabaseWrapper

from fsm_lifecycle.ledger import protection
from fsm_lifecycle.ledger.protection import mysql, postgresql

SWITCHES = {
    "postgresql": ("SET fsm_lifecycle.tests_off = 'on'", "SET fsm_lifecycle.tests_off = 'off'"),
    "mysql": ("SET @fsm_lifecycle_tests_off = 1", "SET @fsm_lifecycle_tests_off = NULL"),
}


def let_triggers_look_away() -> None:
    """On PostgreSQL and MariaDB, from now on install triggers with a switch of the tests' own.

    In a test's transaction they cannot always be taken away and put back: MariaDB would commit it, PostgreSQL refuses
    while constraints wait to be checked.
    """
    plain_trigger, plain_function = mysql._trigger, postgresql._function

    def mysql_trigger(*args: str) -> tuple[str, str, str]:
        name, create, drop = plain_trigger(*args)
        return name, create.replace(" AND NOT (", " AND @fsm_lifecycle_tests_off IS NULL AND NOT (", 1), drop

    def postgres_function(name: str, body: str) -> str:
        look_away = (
            "BEGIN IF current_setting('fsm_lifecycle.tests_off', true) = 'on' THEN "
            "IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW; END IF; "
        )
        return plain_function(name, body.replace("BEGIN ", look_away, 1))

    mysql._trigger = mysql_trigger  # type: ignore[assignment]
    postgresql._function = postgres_function


@contextmanager
def unprotected(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Inside, rows of the ledger may be changed with raw SQL."""
    if connection.vendor not in SWITCHES:
        protection.remove(connection)
        try:
            yield
        finally:
            protection.install(connection)
        return
    off, on = SWITCHES[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(off)
        try:
            yield
        finally:
            cursor.execute(on)
