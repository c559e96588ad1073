"""Owns which endpoints a firing would tell, asked before it is fired. Must not know how it is said."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from fsm_lifecycle.append_only import key_text
from fsm_lifecycle.definition import Event
from fsm_lifecycle.ledger.entry import TransitionLog
from fsm_lifecycle.webhooks.endpoint import WebhookEndpoint
from fsm_lifecycle.webhooks.owners import seen_by
from fsm_lifecycle.webhooks.relay import concerns


def told_of(record: Any, event: Event) -> list[WebhookEndpoint]:
    """The endpoints that would be told of this event on this record, in the order in which they were made."""
    using = record._state.db or "default"
    entry = TransitionLog(
        model_label=record._lifecycle.label,
        object_pk=key_text(record.pk),
        kind="transition",
        event=event.name,
        entry_hash="expected",
    )
    rows: QuerySet[WebhookEndpoint] = QuerySet(WebhookEndpoint, using=using)
    return [
        one
        for one in rows.filter(active=True).select_related("owner").order_by("pk")
        if concerns(one, entry) and (one.owner is None or seen_by(one.owner, [entry], using))
    ]
