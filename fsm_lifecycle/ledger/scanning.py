"""Owns scanning: long SELECTs in an order, of which no more than a page is in memory.

Must not know what is selected.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

from django.db.backends.base.base import BaseDatabaseWrapper

PAGE: Final = 1000

Row = tuple[Any, ...]


def scan(
    connection: BaseDatabaseWrapper,
    select: str,
    order: Sequence[str],
    *,
    where: str = "",
    parameters: Sequence[Any] = (),
    page: int = PAGE,
) -> Iterator[Row]:
    """The rows of ``select`` in the order of its first columns, whose SQL names are ``order``; together unique.

    Other statements may run on the connection meanwhile. MySQL's client would take all rows at once, so there it
    is one statement for each page, which goes on after the last row of the page before.
    """
    if connection.vendor == "mysql":
        yield from _pages(connection, select, order, where, list(parameters), page)
        return
    sql = f"{select}{f' WHERE {where}' if where else ''} ORDER BY {', '.join(order)}"
    with connection.chunked_cursor() as cursor:
        cursor.execute(sql, list(parameters))
        while rows := cursor.fetchmany(page):
            yield from rows
            if len(rows) < page:
                break


def _pages(
    connection: BaseDatabaseWrapper,
    select: str,
    order: Sequence[str],
    where: str,
    parameters: list[Any],
    page: int,
) -> Iterator[Row]:
    beyond = " OR ".join(
        "(" + " AND ".join([f"{name} = %s" for name in order[:place]] + [f"{order[place]} > %s"]) + ")"
        for place in range(len(order))
    )
    tail = f" ORDER BY {', '.join(order)} LIMIT {page}"
    rows: Sequence[Row] = ()
    while True:
        conditions = [f"({part})" for part in (where, beyond if rows else "") if part]
        sql = select + (" WHERE " + " AND ".join(conditions) if conditions else "") + tail
        after = [value for place in range(len(order)) for value in rows[-1][: place + 1]] if rows else []
        with connection.cursor() as cursor:
            cursor.execute(sql, [*parameters, *after])
            rows = cursor.fetchall()
        yield from rows
        if len(rows) < page:
            return


@contextmanager
def any_text(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Inside, SQLite returns text that is no UTF-8 with surrogates instead of failing. Others store no such text."""
    if connection.vendor != "sqlite":
        yield
        return
    connection.ensure_connection()
    driver: Any = connection.connection
    before = driver.text_factory
    driver.text_factory = partial(str, encoding="utf-8", errors="surrogateescape")
    try:
        yield
    finally:
        driver.text_factory = before
