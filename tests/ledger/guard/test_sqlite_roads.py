"""Rows that only grow, tried with what only SQLite can do: its replacing statements go round DELETE triggers."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from django.db import DatabaseError, connection

from tests.ledger.guard.growing import (
    another,
    column_of,
    contents,
    each_table,
    execute,
    key_of,
    plain,
    quoted,
    refused,
    untouched,
)

pytestmark = [
    pytest.mark.skipif(connection.vendor != "sqlite", reason="SQLite's own statements"),
    pytest.mark.django_db,
    pytest.mark.usefixtures("filled"),
]

REPLACING = ["INSERT OR REPLACE INTO", "REPLACE INTO"]


def _columns(model: Any) -> list[str]:
    return [column_of(f) for f in model._meta.local_concrete_fields]


def _unique(model: Any) -> list[tuple[str, ...]]:
    """The columns of each unique constraint, as the database has them."""
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, model._meta.db_table)
    return [tuple(c["columns"]) for c in found.values() if c["unique"] or c["primary_key"]]


def _stranger(model: Any, shared: tuple[str, ...]) -> list[Any]:
    """A row that has nothing in common with the first one but these columns."""
    first = contents(model)[0]
    row = []
    for field, value in zip(model._meta.local_concrete_fields, first, strict=True):
        if field.column in shared:
            row.append(value)
        elif isinstance(value, int):
            row.append(value + 4000)
        else:
            row.append(another(field, None) if field.get_internal_type() != "DateTimeField" else value)
    return row


def _insert(verb: str, model: Any, row: list[Any], extra: str = "", *, rowid: Any = None) -> None:
    columns = _columns(model)
    if rowid is not None:
        columns, row = ["rowid", *columns], [rowid, *row]
    places = ", ".join(["%s"] * len(columns))
    execute(f"{verb} {quoted(model)} ({', '.join(columns)}) VALUES ({places}) {extra}", row)


@each_table
def test_no_row_is_replaced_over_any_of_its_unique_columns(model: Any) -> None:
    constraints = _unique(model)
    assert constraints
    for shared, verb in product(constraints, REPLACING):
        with untouched((shared, verb)):
            _insert(verb, model, _stranger(model, shared))


@each_table
def test_the_kind_of_a_value_makes_no_difference(model: Any) -> None:
    """The column makes an integer of ``'2'`` and of ``2.0``."""
    for disguise, verb in product((str, float), REPLACING):
        row = _stranger(model, (model._meta.pk.column,))
        row[0] = disguise(row[0])
        with untouched():
            _insert(verb, model, row)


@each_table
def test_no_row_is_replaced_over_its_hidden_number(model: Any) -> None:
    """Every row has a rowid, also where the key is another column."""
    ((rowid,),) = _all(f"SELECT min(rowid) FROM {quoted(model)}")
    row = _stranger(model, ())
    columns = _columns(model)
    places = ", ".join(["%s"] * len(columns))
    alias = model._meta.pk.get_internal_type() in ("AutoField", "BigAutoField")
    if alias:
        columns, row = columns[1:], row[1:]
        places = places[4:]
    for number, verb in product((rowid, str(rowid), float(rowid)), REPLACING):
        with untouched((number, verb)):
            execute(
                f"{verb} {quoted(model)} (rowid, {', '.join(columns)}) VALUES (%s, {places})", [number, *row]
            )


def _all(sql: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())


@each_table
def test_the_hidden_number_of_a_row_does_not_change(model: Any) -> None:
    numbers = [number for (number,) in _all(f"SELECT rowid FROM {quoted(model)} ORDER BY rowid")]
    verbs = ("UPDATE", "UPDATE OR REPLACE", "UPDATE OR IGNORE", "UPDATE OR FAIL")
    for name, verb in product(("rowid", "_rowid_", "oid"), verbs):
        with untouched((name, verb)):
            execute(
                f"{verb} {quoted(model)} SET {name} = %s WHERE rowid = %s",
                [numbers[1] if "REPLACE" in verb else numbers[-1] + 100, numbers[0]],
            )


@each_table
def test_an_update_is_refused_whatever_it_asks_for_in_a_conflict(model: Any) -> None:
    key, table = key_of(model), quoted(model)
    for way in ("REPLACE", "IGNORE", "FAIL", "ABORT"):
        for value in (f"{key} + 1", f"(SELECT max({key}) FROM {table})"):
            with untouched((way, value)):
                execute(f"UPDATE OR {way} {table} SET {key} = {value}")


def test_an_update_that_would_roll_back_is_refused() -> None:
    """It takes the whole transaction with it, as it says."""
    with pytest.raises(DatabaseError, match="never changed"):
        execute("UPDATE OR ROLLBACK fsm_lifecycle_transitionlog SET kind = 'x'")
    connection.needs_rollback = True


@each_table
def test_an_upsert_changes_nothing(model: Any) -> None:
    key, column = key_of(model), _columns(model)[-1]
    row = list(contents(model)[0])
    for target in (f"({key})", ""):
        for given in (row, _stranger(model, (model._meta.pk.column,))):
            with untouched():
                _insert(
                    "INSERT INTO", model, given, f"ON CONFLICT {target} DO UPDATE SET {column} = '1999-01-01'"
                )


@each_table
def test_the_same_row_again_is_ignored_where_that_is_asked_for(model: Any) -> None:
    before = contents(model)
    _insert("INSERT OR IGNORE INTO", model, list(before[0]))
    _insert("INSERT INTO", model, list(before[0]), "ON CONFLICT DO NOTHING")
    assert contents(model) == before


@each_table
def test_replacing_from_a_select_is_refused(model: Any) -> None:
    columns = _columns(model)
    chosen = ", ".join([columns[0], "'x'", *columns[2:]])
    with untouched():
        execute(
            f"REPLACE INTO {quoted(model)} ({', '.join(columns)}) SELECT {chosen} FROM {quoted(model)} WHERE true"
        )


@each_table
def test_the_refusal_stays_when_recursive_triggers_are_switched(model: Any) -> None:
    for switch in ("ON", "OFF"):
        execute(f"PRAGMA recursive_triggers = {switch}")
        for shared in _unique(model):
            with untouched():
                _insert("REPLACE INTO", model, _stranger(model, shared))


@each_table
def test_a_delete_of_many_has_no_short_cut(model: Any) -> None:
    """Without triggers SQLite empties a table in one go."""
    assert plain(model).count() >= 2
    for sql in (f"DELETE FROM {quoted(model)}", f"DELETE FROM {quoted(model)} WHERE 1 RETURNING *"):
        with refused():
            execute(sql)
