"""The SQL of a firing: written once per model, event and database, and run on the cursor.

Compiling a queryset each time costs more than the database's own work. Must not know rules.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import DatabaseError, IntegrityError, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model, QuerySet

from fsm_lifecycle.engine.binding import HEAD, SEQUENCE, SINCE, Binding, Plan
from fsm_lifecycle.exceptions import ProtectionOutdated
from fsm_lifecycle.ledger.chain import document
from fsm_lifecycle.ledger.protection import is_refusal


class _Reader:
    """``SELECT … FOR UPDATE`` of one record with all its columns, compiled for one connection."""

    __slots__ = ("compiler", "converters", "names", "sql")

    def __init__(self, binding: Binding, connection: BaseDatabaseWrapper, key: Any) -> None:
        features = connection.features
        rows: QuerySet[Any] = (
            QuerySet(binding.model, using=connection.alias).filter(**{binding.key_attname: key}).order_by()
        )
        if features.has_select_for_update:
            # NO KEY: whoever inserts a row that points here does not wait.
            rows = rows.select_for_update(no_key=features.has_select_for_no_key_update)
        self.compiler = rows.query.get_compiler(connection.alias, connection=connection)
        self.sql, parameters = self.compiler.as_sql()
        assert len(parameters) == 1
        self.converters = self.compiler.get_converters([column for column, _, _ in self.compiler.select])
        self.names = tuple(column.target.attname for column, _, _ in self.compiler.select)


class _Readers(threading.local):
    """Compiled readers of this thread's connections: they go when the thread goes."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, type[Model]], _Reader] = {}


_readers = _Readers()


def locked(binding: Binding, connection: BaseDatabaseWrapper, key: Any) -> Any:
    """The record as the database holds it, its row locked where there are row locks; ``None`` if gone."""
    place = (connection.alias, binding.model)
    reader = _readers.found.get(place)
    if reader is None or reader.compiler.connection is not connection:
        reader = _readers.found[place] = _Reader(binding, connection, key)
    with connection.cursor() as cursor:
        cursor.execute(reader.sql, [binding.pk.get_db_prep_value(key, connection)])
        row = cursor.fetchone()
    if row is None:
        return None
    if reader.converters:
        (row,) = reader.compiler.apply_converters([row], reader.converters)
    return binding.model.from_db(connection.alias, reader.names, tuple(row))


def link_of(binding: Binding, connection: BaseDatabaseWrapper, key: Any) -> tuple[str, int, str] | None:
    """State, sequence and head of a record as committed, without a lock; ``None`` if it is gone."""
    rows: QuerySet[Any] = QuerySet(binding.owner, using=connection.alias).filter(pk=key).order_by()
    return rows.values_list(binding.state_name, SEQUENCE, HEAD).first()


def _column(binding: Binding, name: str, connection: BaseDatabaseWrapper) -> str:
    field = binding.owner._meta.get_field(name)
    return str(connection.ops.quote_name(str(field.column)))  # type: ignore[union-attr]


def update_sql(binding: Binding, connection: BaseDatabaseWrapper, stores: Sequence[Any] = ()) -> str:
    """``UPDATE`` of state, time, sequence, head and stores, where key, sequence, head and state still hold."""
    key = (connection.vendor, *(f.attname for f in stores))
    sql = binding.sql.get(key)
    if sql is None:
        state, since, sequence, head = (
            _column(binding, name, connection) for name in (binding.state_name, SINCE, SEQUENCE, HEAD)
        )
        stored = [connection.ops.quote_name(f.column) for f in stores]
        table = connection.ops.quote_name(binding.owner._meta.db_table)
        pk = connection.ops.quote_name(binding.key_column)
        # An event that returns to its own state leaves the time. MySQL assigns from left to right, so the time
        # comes before the state that it asks for.
        since_kept = f"{since} = CASE WHEN {state} = %s THEN {since} ELSE %s END"
        sets = ", ".join([since_kept, *(f"{column} = %s" for column in (state, sequence, head, *stored))])
        sql = (
            f"UPDATE {table} SET {sets} WHERE {pk} = %s AND {sequence} = %s AND {head} = %s AND {state} = %s"  # noqa: S608
        )
        binding.sql[key] = sql
    return sql


def stored_value(field: Any, value: Any, connection: BaseDatabaseWrapper) -> Any:
    """A cleaned argument as the driver takes it."""
    if isinstance(value, Model):
        value = getattr(value, field.target_field.attname)
    return field.get_db_prep_save(value, connection)


def move(
    binding: Binding,
    connection: BaseDatabaseWrapper,
    plan: Plan,
    *,
    key: Any,
    before: tuple[str, int, str],
    after: tuple[str, datetime, int, str],
    arguments: dict[str, Any],
) -> bool:
    """Compare and set: write ``after`` if the row still holds ``before`` (state, sequence, head)."""
    state, since, sequence, head = after
    parameters = [state, connection.ops.adapt_datetimefield_value(since), state, sequence, head]
    for field in plan.stores:
        parameters.append(stored_value(field, arguments.get(field.name), connection))
    parameters += [binding.pk.get_db_prep_value(key, connection), before[1], before[2], before[0]]
    with connection.cursor() as cursor:
        try:
            cursor.execute(update_sql(binding, connection, plan.stores), parameters)
        except DatabaseError as error:
            if is_refusal(error):
                raise _outdated(binding, plan) from error
            raise
        return bool(cursor.rowcount == 1)


def tried(
    binding: Binding,
    connection: BaseDatabaseWrapper,
    plan: Plan,
    *,
    key: Any,
    before: tuple[str, int, str],
    after: tuple[str, datetime, int, str],
    arguments: dict[str, Any],
) -> Any:
    """The locked record as ``move`` would leave it. Only the database can tell, so it moves it and takes that back."""
    with transaction.atomic(using=connection.alias):
        move(binding, connection, plan, key=key, before=before, after=after, arguments=arguments)
        row = locked(binding, connection, key)
        transaction.set_rollback(True, using=connection.alias)
    return row


def _outdated(binding: Binding, plan: Plan) -> ProtectionOutdated:
    """The database's own guard refused what the code's table allows."""
    return ProtectionOutdated(
        f"The database refused “{plan.event.label}” on {binding.label}: its guard belongs to an older table than this "
        f"code, or the row was made without a log. Nothing was done. Run: manage.py migrate, and then "
        f"manage.py lifecycle_doctor"
    )


def set_link(
    binding: Binding, connection: BaseDatabaseWrapper, since: datetime, links: Sequence[tuple[Any, int, str]]
) -> None:
    """Give rows at sequence 0 their first link: (key, sequence, head) each."""
    quote = connection.ops.quote_name
    table, pk = quote(binding.owner._meta.db_table), quote(binding.key_column)
    at, sequence, head = (_column(binding, name, connection) for name in (SINCE, SEQUENCE, HEAD))
    moment = connection.ops.adapt_datetimefield_value(since)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql" and len(links) > 1:
            cursor.execute(
                f"UPDATE {table} AS t SET {at} = %s, {sequence} = v.c1, {head} = v.c2 "  # noqa: S608
                f"FROM json_to_recordset(%s::json) AS v(c0 {_key_type(binding, connection)}, c1 bigint, c2 text) "
                f"WHERE t.{pk} = v.c0 AND t.{sequence} = 0",
                [moment, document(links)],
            )
        else:
            cursor.executemany(
                f"UPDATE {table} SET {at} = %s, {sequence} = %s, {head} = %s WHERE {pk} = %s AND {sequence} = 0",  # noqa: S608
                [
                    (moment, number, hash_, binding.pk.get_db_prep_value(key, connection))
                    for key, number, hash_ in links
                ],
            )
        if cursor.rowcount != len(links):
            raise IntegrityError(
                f"{len(links)} new {binding.label} rows were to be linked, {cursor.rowcount} were. Nothing was done."
            )


def _key_type(binding: Binding, connection: BaseDatabaseWrapper) -> str:
    """The PostgreSQL type of the key."""
    return str(binding.pk.db_type(connection))


def unlink(binding: Binding, connection: BaseDatabaseWrapper, keys: Sequence[Any]) -> None:
    """Put rows back to sequence 0: their link names a log that is not there."""
    quote = connection.ops.quote_name
    sequence, head = (_column(binding, name, connection) for name in (SEQUENCE, HEAD))
    table, pk = quote(binding.owner._meta.db_table), quote(binding.key_column)
    sql = f"UPDATE {table} SET {sequence} = 0, {head} = '' WHERE {pk} = %s AND {sequence} <> 0"  # noqa: S608
    if keys:
        with connection.cursor() as cursor:
            cursor.executemany(sql, [(binding.pk.get_db_prep_value(key, connection),) for key in keys])


def relink(
    binding: Binding, connection: BaseDatabaseWrapper, links: Sequence[tuple[Any, tuple[int, str]]]
) -> None:
    """Give rows the sequence and head of their newest entry again."""
    quote = connection.ops.quote_name
    sequence, head = (_column(binding, name, connection) for name in (SEQUENCE, HEAD))
    table, pk = quote(binding.owner._meta.db_table), quote(binding.key_column)
    sql = f"UPDATE {table} SET {sequence} = %s, {head} = %s WHERE {pk} = %s"  # noqa: S608 - our own columns
    if links:
        with connection.cursor() as cursor:
            cursor.executemany(
                sql, [(*link, binding.pk.get_db_prep_value(key, connection)) for key, link in links]
            )


def move_many(
    binding: Binding,
    connection: BaseDatabaseWrapper,
    plan: Plan,
    *,
    now: datetime,
    arguments: dict[str, Any],
    moves: Sequence[tuple[Any, str, str, int, str, str]],
) -> None:
    """Move locked rows: (key, from, to, new sequence, new head, old head) each.

    One UPDATE joined to a document on PostgreSQL, one ``executemany`` elsewhere; Django's ``bulk_update`` with
    its CASE for each row is ten times slower. The rows are locked, so a count that differs is a defect of the data.
    """
    stored = [stored_value(f, arguments.get(f.name), connection) for f in plan.stores]
    since = connection.ops.adapt_datetimefield_value(now)
    with connection.cursor() as cursor:
        try:
            if connection.vendor == "postgresql":
                sql = _move_document_sql(binding, connection, plan.stores)
                cursor.execute(sql, [since, *stored, document(moves)])
            else:
                cursor.executemany(
                    update_sql(binding, connection, plan.stores),
                    [
                        (
                            *(to, since, to, sequence, head, *stored),
                            *(binding.pk.get_db_prep_value(key, connection), sequence - 1, old_head, source),
                        )
                        for key, source, to, sequence, head, old_head in moves
                    ],
                )
        except DatabaseError as error:
            if is_refusal(error):
                raise _outdated(binding, plan) from error
            raise
        if cursor.rowcount != len(moves):
            raise IntegrityError(
                f"{len(moves)} locked {binding.label} rows were to move, and {cursor.rowcount} did. Nothing was done."
            )


def _move_document_sql(binding: Binding, connection: BaseDatabaseWrapper, stores: Sequence[Any]) -> str:
    key = ("document", connection.vendor, *(f.attname for f in stores))
    sql = binding.sql.get(key)
    if sql is None:
        quote = connection.ops.quote_name
        state, since, sequence, head = (
            _column(binding, name, connection) for name in (binding.state_name, SINCE, SEQUENCE, HEAD)
        )
        stored = "".join(f", {quote(f.column)} = %s" for f in stores)
        key_type = _key_type(binding, connection)
        # c0 to c5: key, from, to, new sequence, new head, old head.
        sql = (
            f"UPDATE {quote(binding.owner._meta.db_table)} AS t SET {since} = CASE WHEN t.{state} = v.c2 "  # noqa: S608
            f"THEN t.{since} ELSE %s END{stored}, {state} = v.c2, {sequence} = v.c3, {head} = v.c4 "
            f"FROM json_to_recordset(%s::json) AS v(c0 {key_type}, c1 text, c2 text, c3 bigint, c4 text, c5 text) "
            f"WHERE t.{quote(binding.key_column)} = v.c0 AND t.{sequence} = v.c3 - 1 AND t.{head} = v.c5 "
            f"AND t.{state} = v.c1"
        )
        binding.sql[key] = sql
    return sql
