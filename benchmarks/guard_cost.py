"""What the database's guard of states costs an UPDATE that has nothing to do with states.

Must not know how the guard works.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connections, models, transaction

from benchmarks.databases import LABELS
from benchmarks.models import StaffedInvoice, UnguardedInvoice
from benchmarks.report import Section, Verdict, microseconds
from benchmarks.settings import on_database
from benchmarks.subjects import make
from benchmarks.timing import Task, interleave
from fsm_lifecycle.ledger import protection

#: The most that the UPDATE may cost, as a multiple of what it costs without the guard.
TARGET = 1.3

#: Two tables with the same columns and indexes; the first keeps its guard.
_GUARDED, _BARE = StaffedInvoice, UnguardedInvoice
WITH, WITHOUT = "with the guard", "without"
DJANGO, DRIVER = "connection.cursor()", "the driver's cursor"
_CURSORS = (DJANGO, DRIVER)


class NoGuard(AssertionError):
    """A table is guarded where it should not be, or the other way round."""


def measure(aliases: Sequence[str], rounds: int, rows: int) -> Section:
    """The same UPDATEs of two like tables, in turn. The guard is put back in the end."""
    bare = [_BARE._meta.db_table]
    try:
        for alias in aliases:
            protection.remove(connections[alias], bare)
        tasks = {
            f"{alias} {cursor} {name}": _task(alias, cursor, model, rows)
            for alias in aliases
            for cursor in _CURSORS
            for name, model in ((WITH, _GUARDED), (WITHOUT, _BARE))
        }
        for alias in aliases:
            _check(alias)
        samples = interleave(tasks, rounds)
    finally:
        for alias in aliases:
            protection.install(connections[alias], bare)
    table, verdicts = [], []
    for alias in aliases:
        for cursor in _CURSORS:
            guarded, plain = (samples[f"{alias} {cursor} {name}"] for name in (WITH, WITHOUT))
            ratio = guarded.ratio_to(plain)
            figures = [microseconds(found.wall_spread().median) for found in (guarded, plain)]
            table.append([f"{LABELS[alias]}, {cursor}", *figures, str(ratio)])
            if cursor == DJANGO:
                verdicts.append(
                    Verdict(
                        target="an unrelated UPDATE, with the guard of states",
                        where=LABELS[alias],
                        limit=TARGET,
                        measured=ratio,
                    )
                )
    return Section(
        title="What the guard of states costs",
        about=(
            f"`UPDATE … SET client_name = … WHERE id = …`, {rows:,} of them in one transaction, each: of a lifecycle "
            "table with its trigger, and of one with the same columns and indexes whose trigger was taken away. Sent "
            "through Django's cursor, as raw SQL is, and past it, where nothing but the database's work is left; the "
            "target speaks of the first."
        ),
        columns=["database, cursor", f"{WITH}, µs", f"{WITHOUT}, µs", "× without"],  # noqa: RUF001
        rows=table,
        verdicts=verdicts,
    )


def _task(alias: str, way: str, model: type[models.Model], rows: int) -> Task:
    with on_database(alias):
        make(model, rows)
        keys = list(model._default_manager.order_by("-pk").values_list("pk", flat=True)[:rows])
    mark = "?" if way == DRIVER and connections[alias].vendor == "sqlite" else "%s"
    sql = f"UPDATE {model._meta.db_table} SET client_name = {mark} WHERE id = {mark}"
    turn = 0

    def update() -> int:
        nonlocal turn
        turn += 1
        with transaction.atomic(using=alias), connections[alias].cursor() as wrapper:
            cursor: Any = wrapper if way == DJANGO else connections[alias].connection.cursor()
            for key in keys:
                cursor.execute(sql, (f"Client in round {turn}", key))
        return rows

    return update


def _check(alias: str) -> None:
    """Only the bare table is without."""
    bare = _BARE._meta.db_table
    missing = [what for what in protection.missing(connections[alias]) if not what.startswith(f"{bare} ")]
    if missing or not any(what.startswith(f"{bare} ") for what in protection.missing(connections[alias])):
        raise NoGuard(
            f"{alias}: {bare} alone should be without its guard. {' '.join(missing) or 'It has it.'}"
        )
