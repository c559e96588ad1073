"""Owns reading what was recorded in a period, once and in pages. Must not know what is counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from fsm_lifecycle.ledger.entry import TransitionLog
from fsm_lifecycle.ops.period import Period

PAGE = 5000


class Recorded(NamedTuple):
    """What the figures need of an entry. Moments are as the database gives them: see ``moments_of``."""

    model: str
    kind: str
    event: str | None
    actor: str
    state: str | None
    """The state that it took the record out of; ``None`` when it stayed, or was in none."""
    began: Any
    """When the record had come into that state."""
    ended: Any
    """When this happened."""


def recorded(using: str, period: Period, labels: Sequence[str] = ()) -> Iterator[list[Recorded]]:
    """Every entry of a period, in the order of recording, in pages: one index serves it, and memory stays flat."""
    connection = connections[using]
    sql, parameters = _sql(connection, period, labels)
    after = "" if not parameters else " AND "
    with connection.cursor() as cursor:
        where = f"WHERE {sql}" if sql else ""
        found = parameters
        while True:
            cursor.execute(_select(connection, where), [*found, PAGE])
            page = cursor.fetchall()
            yield [Recorded._make(row[2:]) for row in page]
            if len(page) < PAGE:
                return
            at, last = page[-1][:2]
            where = f"WHERE {sql}{after}e.recorded_at >= %s AND (e.recorded_at > %s OR e.id > %s)"
            found = [*parameters, at, at, last]


def _sql(connection: BaseDatabaseWrapper, period: Period, labels: Sequence[str]) -> tuple[str, list[Any]]:
    adapt = connection.ops.adapt_datetimefield_value
    parts: list[str] = []
    parameters: list[Any] = []
    for sign, moment in ((">=", period.since), ("<", period.until)):
        if moment is not None:
            parts.append(f"e.recorded_at {sign} %s")
            parameters.append(adapt(moment))
    if labels:
        parts.append(f"e.model_label IN ({', '.join(['%s'] * len(labels))})")
        parameters += labels
    return " AND ".join(parts), parameters


def _select(connection: BaseDatabaseWrapper, where: str) -> str:
    log = connection.ops.quote_name(TransitionLog._meta.db_table)
    # Concatenation makes it an expression, which sqlite3 does not convert: that takes longer than all the rest.
    tail = " || ''" if connection.vendor == "sqlite" else ""
    moved = "{0}.from_state IS NULL OR {0}.to_state IS NULL OR {0}.from_state <> {0}.to_state"
    left = f"e.from_state IS NOT NULL AND ({moved.format('e')})"
    began = (
        f"SELECT COALESCE(p.occurred_at, p.recorded_at){tail} FROM {log} p "  # noqa: S608 - our own table
        "WHERE p.model_label = e.model_label AND p.object_pk = e.object_pk AND p.sequence < e.sequence "
        f"AND ({moved.format('p')}) ORDER BY p.sequence DESC LIMIT 1"
    )
    return (
        f"SELECT e.recorded_at{tail}, e.id, e.model_label, e.kind, e.event, e.actor_kind, "  # noqa: S608
        f"CASE WHEN {left} THEN e.from_state END, CASE WHEN {left} THEN ({began}) END, "
        f"COALESCE(e.occurred_at, e.recorded_at){tail} "
        f"FROM {log} e {where} ORDER BY e.recorded_at, e.id LIMIT %s"
    )


def moment_of(connection: BaseDatabaseWrapper) -> Callable[[Any], datetime | None]:
    """What makes a time of a value of ``began`` or ``ended``; ``None`` of what is none."""
    zone = connection.timezone

    def moment(value: Any) -> datetime | None:
        try:
            found = datetime.fromisoformat(value) if isinstance(value, str) else value
        except ValueError:
            return None
        if not isinstance(found, datetime) or found.tzinfo is not None or zone in (None, UTC):
            return found if isinstance(found, datetime) else None
        return found.replace(tzinfo=zone).astimezone(UTC)

    return moment
