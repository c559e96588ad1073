"""Separation of duties: who fired what on a record since it last was in its initial state, or began anew.

Read from the log. Must not know who asks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from fsm_lifecycle.definition import Event
from fsm_lifecycle.engine.binding import Binding
from fsm_lifecycle.ledger.body import BodyMismatch, read_body
from fsm_lifecycle.ledger.entry import TransitionLog

#: Pairs of an event's name and the key of a person who fired it.
Fired = frozenset[tuple[str, str]]

NOBODY: Fired = frozenset()
_AT_ONCE = 500


def separated(binding: Binding) -> list[str]:
    """The events that bar somebody from another one: those in any ``not_by``."""
    return list(dict.fromkeys(name for event in binding.table.events.values() for name in names(event)))


def names(event: Event) -> list[str]:
    """The events whose authors may not fire this one."""
    return [str(other) for other in event.not_by]


def fired_by(
    binding: Binding, connection: BaseDatabaseWrapper, keys: Sequence[str], events: Sequence[str]
) -> Mapping[str, Fired]:
    """Who fired ``events`` on these records since each last was in its initial state. Each 500 cost a statement.

    The person behind an agent counts, and both persons of a delegation.
    """
    found: dict[str, set[tuple[str, str]]] = {}
    for start in range(0, len(keys), _AT_ONCE):
        portion = keys[start : start + _AT_ONCE]
        sql = _sql(connection.alias, connection.vendor, len(portion), len(events))
        initial = str(binding.table.initial)
        with connection.cursor() as cursor:
            cursor.execute(sql, ['%"on_behalf_of":%', binding.label, *portion, *events, initial])
            for key, event, kind, actor, body in cursor.fetchall():
                people = found.setdefault(key, set())
                if kind in ("user", "agent"):
                    people.add((event, actor))
                people.update((event, person) for person in _behind(body))
    return {key: frozenset(people) for key, people in found.items()}


def _behind(body: str) -> Iterable[str]:
    """The person in whose name an entry was made, from its body. One that was redacted cannot be told any more."""
    if not body:
        return ()
    try:
        field = read_body(body).get("on_behalf_of")
    except BodyMismatch:
        return ()
    value: Any = None if field is None or field.redacted else field.value
    return (str(value["id"]),) if isinstance(value, Mapping) and "id" in value else ()


@lru_cache(maxsize=64)
def _sql(alias: str, vendor: str, keys: int, events: int) -> str:
    quote = connections[alias].ops.quote_name
    log = quote(TransitionLog._meta.db_table)
    some_keys, some_events = ", ".join(["%s"] * keys), ", ".join(["%s"] * events)
    return (
        f"SELECT DISTINCT l.object_pk, l.event, l.actor_kind, l.actor_id, "
        f"CASE WHEN l.body LIKE %s THEN l.body ELSE '' END FROM {log} l "
        f"WHERE l.model_label = %s AND l.object_pk IN ({some_keys}) AND l.event IN ({some_events}) "
        f"AND l.sequence > COALESCE((SELECT MAX(s.sequence) FROM {log} s WHERE s.model_label = l.model_label "
        f"AND s.object_pk = l.object_pk AND (s.to_state = %s OR s.kind IN ('created', 'adopted', 'deleted'))), 0)"
    )
