"""Rows that only grow, tried with what only PostgreSQL can do."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from django.db import connection, transaction

from tests.ledger.guard.growing import GROWING, contents, each_table, execute, key_of, quoted, untouched

pytestmark = [
    pytest.mark.skipif(connection.vendor != "postgresql", reason="PostgreSQL's own statements"),
    pytest.mark.django_db,
    pytest.mark.usefixtures("filled"),
]


def _last(model: Any) -> str:
    """The last column that holds text."""
    fields = [
        f for f in model._meta.local_concrete_fields if "Text" in f.get_internal_type() + type(f).__name__
    ]
    return connection.ops.quote_name(fields[-1].column)


STATEMENTS = {
    "TRUNCATE": "TRUNCATE {table}",
    "TRUNCATE CASCADE": "TRUNCATE TABLE ONLY {table} RESTART IDENTITY CASCADE",
    "DELETE ONLY": "DELETE FROM ONLY {table}",
    "DELETE USING": "DELETE FROM {table} AS t USING {table} AS u WHERE t.{key} = u.{key}",
    "DELETE RETURNING": "WITH gone AS (DELETE FROM {table} RETURNING *) SELECT count(*) FROM gone",
    "UPDATE FROM": "UPDATE {table} AS t SET {text} = 'forged' FROM {table} AS u WHERE t.{key} = u.{key}",
    "UPDATE in WITH": "WITH u AS (UPDATE {table} SET {text} = 'forged' RETURNING 1) SELECT count(*) FROM u",
    "MERGE that updates": "MERGE INTO {table} AS t USING {table} AS u ON t.{key} = u.{key} "
    "WHEN MATCHED THEN UPDATE SET {text} = 'forged'",
    "MERGE that deletes": "MERGE INTO {table} AS t USING {table} AS u ON t.{key} = u.{key} WHEN MATCHED THEN DELETE",
    "DO block": "DO $$ BEGIN DELETE FROM {table}; END $$",
    "DO block that swallows": "DO $$ BEGIN BEGIN DELETE FROM {table}; EXCEPTION WHEN unique_violation THEN NULL; "
    "END; END $$",
    "upsert": "INSERT INTO {table} SELECT * FROM {table} ON CONFLICT ({key}) DO UPDATE SET {text} = 'forged'",
    "cursor": "DO $$ DECLARE c CURSOR FOR SELECT * FROM {table} FOR UPDATE; r record; BEGIN OPEN c; FETCH c INTO r; "
    "DELETE FROM {table} WHERE CURRENT OF c; END $$",
}


def _sql(statement: str, model: Any) -> str:
    return STATEMENTS[statement].format(table=quoted(model), key=key_of(model), text=_last(model))


@each_table
def test_no_statement_changes_or_removes_rows(model: Any) -> None:
    for statement in STATEMENTS:
        with untouched(statement):
            execute(_sql(statement, model))


@each_table
def test_a_replication_role_switches_nothing_off(model: Any) -> None:
    for role, statement in product(("replica", "local"), ("TRUNCATE", "DELETE ONLY", "UPDATE FROM")):
        with untouched((role, statement)):
            execute(f"SET LOCAL session_replication_role = '{role}'")
            execute(_sql(statement, model))


def test_truncating_many_tables_at_once_is_refused() -> None:
    before = [contents(model) for model in GROWING]
    with untouched():
        execute("TRUNCATE testapp_light, " + ", ".join(quoted(model) for model in GROWING) + " CASCADE")
    assert [contents(model) for model in GROWING] == before


@each_table
def test_a_swallowed_refusal_has_done_nothing(model: Any) -> None:
    before = contents(model)
    with transaction.atomic():
        execute(
            f"DO $$ BEGIN BEGIN DELETE FROM {quoted(model)}; EXCEPTION WHEN OTHERS THEN NULL; END; END $$"
        )
    assert contents(model) == before


@each_table
def test_an_upsert_that_does_nothing_passes(model: Any) -> None:
    before = contents(model)
    execute(f"INSERT INTO {quoted(model)} SELECT * FROM {quoted(model)} ON CONFLICT DO NOTHING")
    assert contents(model) == before


@each_table
def test_a_search_path_of_the_session_leads_round_nothing(model: Any) -> None:
    """Whatever schema comes first: what the triggers call cannot be taken for something else."""
    with untouched():
        execute("CREATE SCHEMA elsewhere")
        execute(
            "CREATE FUNCTION elsewhere.current_setting(text, boolean) RETURNS text LANGUAGE sql AS "
            "$$ SELECT 'delete' $$"
        )
        execute("SET LOCAL search_path = elsewhere, public")
        execute(f"DELETE FROM public.{quoted(model)}")
