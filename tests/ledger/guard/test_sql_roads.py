"""Rows that only grow, tried with SQL that every database understands: column by column, row by row, all at once."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection, models

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
    stored,
    untouched,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("filled")]


def _set(model: Any, field: Any, value: Any) -> int:
    """Set one column of the first row."""
    column = column_of(field)
    key = plain(model).order_by("pk").values_list("pk", flat=True)[0]
    return execute(f"UPDATE {quoted(model)} SET {column} = %s WHERE {key_of(model)} = %s", [value, key])


@each_table
def test_no_column_of_a_row_takes_another_value(model: Any) -> None:
    row = plain(model).order_by("pk")[0]
    for field in model._meta.local_concrete_fields:
        value = getattr(row, field.attname)
        with refused(field):
            _set(model, field, stored(field, another(field, value)))
        if field.null and value is not None:
            with refused(field):
                _set(model, field, None)


@each_table
def test_a_column_may_be_set_to_what_it_is(model: Any) -> None:
    table, before = quoted(model), contents(model)
    row = plain(model).order_by("pk")[0]
    for field in model._meta.local_concrete_fields:
        column = column_of(field)
        execute(f"UPDATE {table} SET {column} = {column}")
        _set(model, field, stored(field, getattr(row, field.attname)))
    assert contents(model) == before


@each_table
def test_texts_are_compared_as_bytes(model: Any) -> None:
    """MariaDB's collations take upper case, accents and trailing blanks for equal."""
    row = plain(model).order_by("pk")[0]
    tried = 0
    for field in model._meta.local_concrete_fields:
        value = getattr(row, field.attname)
        if not isinstance(value, str):
            continue
        for other in (value.upper(), value.swapcase(), value.replace("e", "é"), value + " "):
            if other != value and len(other) <= (field.max_length or 5000):
                tried += 1
                with refused((field, other)):
                    _set(model, field, other)
    assert tried > 2


@each_table
def test_no_delete_passes(model: Any) -> None:
    table, key = quoted(model), key_of(model)
    one = contents(model)[0]
    statements = [
        f"DELETE FROM {table}",
        f"DELETE FROM {table} WHERE {key} = (SELECT m FROM (SELECT min({key}) AS m FROM {table}) AS t)",
        f"DELETE FROM {table} WHERE {key} IN (SELECT m FROM (SELECT max({key}) AS m FROM {table}) AS t)",
    ]
    for sql in statements:
        with untouched(sql):
            execute(sql)
    assert contents(model)[0] == one


@each_table
def test_a_delete_that_finds_nothing_is_no_error(model: Any) -> None:
    assert execute(f"DELETE FROM {quoted(model)} WHERE {key_of(model)} = -77") == 0


@each_table
def test_executemany_is_refused_as_a_whole(model: Any) -> None:
    """Its first rows change nothing, its last one does."""
    field = next(f for f in model._meta.local_concrete_fields if isinstance(f, models.CharField))
    column = column_of(field)
    rows = list(plain(model).order_by("pk").values_list(field.attname, "pk"))
    rows[-1] = (another(field, rows[-1][0]), rows[-1][1])
    with untouched(), connection.cursor() as cursor:
        cursor.executemany(f"UPDATE {quoted(model)} SET {column} = %s WHERE {key_of(model)} = %s", rows)
    with untouched(), connection.cursor() as cursor:
        cursor.executemany(
            f"DELETE FROM {quoted(model)} WHERE {key_of(model)} = %s", [(-77,), (rows[-1][1],)]
        )


@each_table
def test_one_row_of_many_spoils_the_update(model: Any) -> None:
    field = next(f for f in model._meta.local_concrete_fields if isinstance(f, models.CharField))
    column, table, key = column_of(field), quoted(model), key_of(model)
    with untouched():
        execute(
            f"UPDATE {table} SET {column} = CASE WHEN {key} = %s THEN 'forged' ELSE {column} END",
            [plain(model).order_by("-pk").values_list("pk", flat=True)[0]],
        )


@each_table
def test_a_key_cannot_be_swapped_with_another(model: Any) -> None:
    with untouched():
        execute(f"UPDATE {quoted(model)} SET {key_of(model)} = {key_of(model)} + 1000")


@each_table
def test_new_rows_are_let_in(model: Any) -> None:
    """What was slipped in is found by ``verify``; the database cannot tell who inserts."""
    row = plain(model).order_by("-pk")[0]
    row.pk = 5000 if model._meta.pk.name == "leaf_index" else None
    for field in model._meta.local_concrete_fields:
        if not field.primary_key and (field.unique or field.name in ("sequence", "fingerprint")):
            setattr(row, field.attname, another(field, getattr(row, field.attname)))
    models.Model.save_base(row, using="default", force_insert=True)


@each_table
def test_the_refusal_names_the_table(model: Any) -> None:
    with pytest.raises(Exception, match=f"fsm_lifecycle: rows of {model._meta.db_table} are never removed"):
        execute(f"DELETE FROM {quoted(model)}")
    if connection.vendor == "postgresql":
        connection.needs_rollback = True
