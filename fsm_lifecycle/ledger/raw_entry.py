"""Owns entries as the database holds them, whatever it holds: columns as they come, times as numbers.

What was stored by other roads than this package may be of any type. Must not know what is right or wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from typing import Any, Final, NamedTuple

from django.db.backends.base.base import BaseDatabaseWrapper

from fsm_lifecycle.ledger.entry import FIRST_MOMENT, LAST_MOMENT
from fsm_lifecycle.ledger.hashing import entry_hash, microseconds

#: Bytes of a body that is read along with its entry; a larger one is read by itself, so that a page stays small.
INLINE: Final = 16 * 1024

_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - databases without zones store UTC
_FLAGS: Final = {0: False, 1: True}


class RawEntry(NamedTuple):
    """One row. Types are those that the package writes; a damaged row may hold others."""

    model_label: str
    object_pk: str
    sequence: int
    id: int
    v: int
    kind: str
    event: str | None
    from_state: str | None
    to_state: str | None
    compensating: bool
    actor_kind: str
    actor_id: str
    at: int
    """``recorded_at`` in microseconds since 1970."""
    occurred: int | None
    """``occurred_at``, likewise."""
    cause: str | None
    definition: str
    body_hash: str
    prev_hash: str
    entry_hash: str
    idempotency_key: str | None
    idempotency_digest: str | None
    body_size: int
    """The body's length in bytes; 0 when bodies are not read."""
    body: str | None
    """``None`` when bodies are not read, or when it is larger than ``INLINE``."""

    def computed_hash(self) -> str:
        """The hash of the row's values. Raises ``ValueError`` for values that cannot be hashed."""
        return entry_hash(
            {
                "actor": f"{self.actor_kind}:{self.actor_id}",
                "at": self.at,
                "body": self.body_hash,
                "cause": self.cause,
                "compensating": self.compensating,
                "definition": self.definition,
                "event": self.event,
                "from": self.from_state,
                "kind": self.kind,
                "model": self.model_label,
                "occurred": self.occurred,
                "pk": self.object_pk,
                "prev": self.prev_hash,
                "seq": self.sequence,
                "to": self.to_state,
                "v": self.v,
            }
        )


def of_instance(entry: Any) -> RawEntry:
    """The row behind a model instance, without its body."""
    occurred = entry.occurred_at
    other: dict[str, Any] = {
        "at": microseconds(entry.recorded_at),
        "occurred": None if occurred is None else microseconds(occurred),
        "body_size": 0,
        "body": None,
    }
    values: dict[str, Any] = {name: getattr(entry, name) for name in RawEntry._fields if name not in other}
    return RawEntry(**values, **other)


def columns(connection: BaseDatabaseWrapper, *, bodies: bool) -> str:
    """What to select from the log under the name ``e``, in the order of ``RawEntry``."""
    special = {
        "at": _time(connection.vendor, "e.recorded_at"),
        "occurred": _time(connection.vendor, "e.occurred_at"),
        # A sign keeps sqlite3 from turning whatever is there into True or False.
        "compensating": "+e.compensating" if connection.vendor == "sqlite" else "e.compensating",
        "body_size": _size(connection.vendor) if bodies else "0",
        "body": f"CASE WHEN {_size(connection.vendor)} <= {INLINE} THEN e.body END" if bodies else "NULL",
    }
    return ", ".join(special.get(name, f"e.{name}") for name in RawEntry._fields)


def reader(connection: BaseDatabaseWrapper) -> Callable[[tuple[Any, ...]], RawEntry]:
    """What makes a ``RawEntry`` of a row that was selected with ``columns``."""
    make = RawEntry._make
    if connection.vendor == "postgresql":
        return make
    zone = connection.timezone
    strict = connection.vendor == "sqlite"
    at, occurred = RawEntry._fields.index("at"), RawEntry._fields.index("occurred")
    flag = RawEntry._fields.index("compensating")

    def read(row: tuple[Any, ...]) -> RawEntry:
        values = list(row)
        values[at] = _number(values[at], zone, strict)
        if values[occurred] is not None:
            values[occurred] = _number(values[occurred], zone, strict)
        if type(values[flag]) is int:
            values[flag] = _FLAGS.get(values[flag], values[flag])
        return make(values)

    return read


def _time(vendor: str, column: str) -> str:
    """A time as text or number. What no Python datetime can hold must not stop the driver."""
    if vendor == "postgresql":
        return (
            f"CASE WHEN {column} IS NULL THEN NULL WHEN {column} BETWEEN '{FIRST_MOMENT}' AND '{LAST_MOMENT}' "
            f"THEN (extract(epoch FROM {column}) * 1000000)::bigint ELSE {-(2**63)} END"
        )
    # Concatenation makes it an expression, which sqlite3 does not convert.
    return f"{column} || ''" if vendor == "sqlite" else f"CAST({column} AS CHAR)"


def _size(vendor: str) -> str:
    return {
        "postgresql": "octet_length(e.body)",
        "sqlite": "length(CAST(e.body AS BLOB))",
    }.get(vendor, "length(e.body)")


def _number(text: Any, zone: tzinfo | None, strict: bool) -> Any:
    """Microseconds since 1970; the text itself when it is no time as Django stores one."""
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None or (strict and str(moment) != text):
            return text
        if zone is not None and zone is not UTC:
            moment = moment.replace(tzinfo=zone).astimezone(UTC).replace(tzinfo=None)
    except (TypeError, ValueError, OverflowError):
        return text
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
