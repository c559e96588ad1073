"""Idempotency keys: the same request again gives the first answer. Must not know how the first was made."""

from __future__ import annotations

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from fsm_lifecycle.engine.binding import Binding
from fsm_lifecycle.exceptions import IdempotencyConflict
from fsm_lifecycle.ledger.entry import TransitionLog
from fsm_lifecycle.ledger.hashing import request_digest

MAX_LENGTH = 255


def earlier(
    binding: Binding,
    connection: BaseDatabaseWrapper,
    object_pk: str,
    key: str,
    event: str,
    arguments: dict[str, Any],
) -> TransitionLog | None:
    """The entry that this key made on this record, or ``None``.

    Raises ``IdempotencyConflict`` when it was another event, or had other arguments.
    """
    log = TransitionLog.objects.using(connection.alias)
    entry: TransitionLog | None = log.filter(
        model_label=binding.label, object_pk=object_pk, idempotency_key=key
    ).first()
    if entry is None:
        return None
    recorded = entry.fields.get("arguments")
    if entry.event == event:
        if recorded is not None and recorded.redacted:
            return entry
        if entry.idempotency_digest == request_digest(
            event, (recorded.salt if recorded else None) or "", arguments
        ):
            return entry
    raise IdempotencyConflict(
        f"The idempotency key {key!r} was used on this record for “{_label(binding, entry)}” (entry {entry.sequence})"
        + (" with other arguments" if entry.event == event else "")
        + ". Use a new key for a new request."
    )


def _label(binding: Binding, entry: TransitionLog) -> str:
    event = binding.table.events.get(entry.event or "")
    return str(event.label) if event is not None else str(entry.event)
