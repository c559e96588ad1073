"""Rows that only grow, tried with what only MariaDB and MySQL can do: IGNORE, REPLACE, several tables at once."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from django.db import DatabaseError, connection

from tests.ledger.guard.growing import (
    GROWING,
    column_of,
    contents,
    each_table,
    execute,
    fill,
    key_of,
    quoted,
    untouched,
)

pytestmark = pytest.mark.skipif(connection.vendor != "mysql", reason="statements of MariaDB and MySQL")


def _column(model: Any) -> str:
    return column_of(model._meta.local_concrete_fields[-1])


def _other(model: Any) -> str:
    return (
        "'1999-01-01 00:00:00'"
        if "Date" in model._meta.local_concrete_fields[-1].get_internal_type()
        else "'x'"
    )


STATEMENTS = {
    "UPDATE IGNORE": "UPDATE IGNORE {table} SET {column} = {other}",
    "UPDATE LIMIT": "UPDATE {table} SET {column} = {other} ORDER BY {key} LIMIT 1",
    "UPDATE of two tables": "UPDATE {table} AS t, {table} AS u SET t.{column} = {other} WHERE t.{key} = u.{key}",
    "UPDATE of a key": "UPDATE IGNORE {table} SET {key} = {key} + 1000",
    "DELETE IGNORE": "DELETE IGNORE FROM {table}",
    "DELETE QUICK": "DELETE QUICK FROM {table} LIMIT 1",
    "DELETE of two tables": "DELETE t FROM {table} AS t JOIN {table} AS u ON t.{key} = u.{key}",
    "DELETE RETURNING": "DELETE FROM {table} RETURNING {key}",
    "REPLACE of the same": "REPLACE INTO {table} SELECT * FROM {table}",
    "REPLACE of another": "REPLACE INTO {table} ({columns}) SELECT {changed} FROM {table}",
    "upsert": "INSERT INTO {table} SELECT * FROM {table} AS t ON DUPLICATE KEY UPDATE {table}.{column} = {other}",
    "upsert with IGNORE": "INSERT IGNORE INTO {table} SELECT * FROM {table} AS t "
    "ON DUPLICATE KEY UPDATE {table}.{column} = {other}",
}


def _sql(statement: str, model: Any) -> str:
    columns = [column_of(f) for f in model._meta.local_concrete_fields]
    return STATEMENTS[statement].format(
        table=quoted(model),
        key=key_of(model),
        column=_column(model),
        other=_other(model),
        columns=", ".join(columns),
        changed=", ".join([*columns[:-1], _other(model)]),
    )


@pytest.mark.usefixtures("filled")
@each_table
def test_no_statement_changes_or_removes_rows(model: Any) -> None:
    try:
        for mode, statement in product(("STRICT_TRANS_TABLES", ""), STATEMENTS):
            execute("SET SESSION sql_mode = %s", [mode])
            with untouched((statement, mode)):
                execute(_sql(statement, model))
    finally:
        execute("SET SESSION sql_mode = 'STRICT_TRANS_TABLES'")


@pytest.mark.usefixtures("filled")
@each_table
def test_switching_foreign_keys_and_unique_checks_off_switches_no_trigger_off(model: Any) -> None:
    execute("SET foreign_key_checks = 0, unique_checks = 0, sql_safe_updates = 0")
    try:
        for statement in ("UPDATE IGNORE", "DELETE IGNORE", "REPLACE of another"):
            with untouched():
                execute(_sql(statement, model))
    finally:
        execute("SET foreign_key_checks = 1, unique_checks = 1")


@pytest.mark.usefixtures("filled")
@each_table
def test_a_row_that_is_there_is_ignored_where_that_is_asked_for(model: Any) -> None:
    before = contents(model)
    execute(f"INSERT IGNORE INTO {quoted(model)} SELECT * FROM {quoted(model)} AS t")
    assert contents(model) == before


@pytest.fixture
def committed(transactional_db: None) -> None:
    fill()


def test_truncate_is_refused(committed: None) -> None:
    """TRUNCATE fires no trigger and would commit: a table with a foreign key is in its way."""
    for model in GROWING:
        before = contents(model)
        for sql in (f"TRUNCATE {quoted(model)}", f"TRUNCATE TABLE {quoted(model)} WAIT 1"):
            with pytest.raises(DatabaseError):
                execute(sql)
        assert contents(model) == before
