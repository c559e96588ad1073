"""The relay: follows the log and makes deliveries, one for each entry and endpoint that is to be told of it.

Its place in the log and the deliveries are written in one transaction, and the pair is unique, so an entry that it sees
twice makes nothing new. Must not know how anything is sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import QuerySet
from django.utils import timezone

from fsm_lifecycle.dispatch.waking import offer
from fsm_lifecycle.ledger.entry import TransitionLog
from fsm_lifecycle.ledger.following import follow
from fsm_lifecycle.webhooks import beginning, filters
from fsm_lifecycle.webhooks.delivery import WebhookDelivery
from fsm_lifecycle.webhooks.endpoint import WebhookEndpoint
from fsm_lifecycle.webhooks.owners import seen_by
from fsm_lifecycle.webhooks.payload import fields_of

#: So many batches in one run, and so many entries in a batch; the next run goes on.
_BATCHES: Final = 20
_BATCH: Final = 500


def relay(using: str) -> int:
    """Make the deliveries of what has been committed since the last time; how many entries were looked at."""
    if not QuerySet(WebhookEndpoint, using=using).exists():
        return 0
    count = 0
    for _ in range(_BATCHES):
        found = follow(using, beginning.FOLLOWER, _handle, batch_size=_BATCH)
        count += found
        if found < _BATCH:
            break
    return count


def _handle(connection: BaseDatabaseWrapper, entries: Sequence[TransitionLog]) -> None:
    # Read after the entries: an endpoint that was there when one of them committed is there now.
    using = connection.alias
    rows: QuerySet[WebhookEndpoint] = QuerySet(WebhookEndpoint, using=using)
    endpoints = rows.filter(active=True).select_related("owner")
    made = [one for endpoint in endpoints for one in due_to(endpoint, entries, using, later=True)]
    if made:
        insert(made, using)


def due_to(
    endpoint: WebhookEndpoint, entries: Sequence[TransitionLog], using: str, *, later: bool
) -> list[WebhookDelivery]:
    """The deliveries of those entries that an endpoint is to be told of; ``later``: of those since it is on."""
    wanted = [
        entry
        for entry in entries
        if concerns(endpoint, entry) and not (later and beginning.was_there(endpoint.mark, entry.pk))
    ]
    if wanted and endpoint.owner is not None:
        seen = seen_by(endpoint.owner, wanted, using)
        wanted = [entry for entry in wanted if entry.entry_hash in seen]
    full = wanted and endpoint.payload == WebhookEndpoint.FULL
    fields = fields_of(wanted, using) if full else {}
    now = timezone.now()
    return [_delivery(endpoint, entry, fields.get(entry.entry_hash), now) for entry in wanted]


def insert(deliveries: Sequence[WebhookDelivery], using: str) -> None:
    """Write deliveries, but those that are there, and have them sent after the commit."""
    WebhookDelivery.objects.using(using).bulk_create(deliveries, batch_size=500, ignore_conflicts=True)
    offer("webhooks", using)


def concerns(endpoint: WebhookEndpoint, entry: TransitionLog) -> bool:
    """Whether an endpoint asks to be told of an entry, whatever its owner may see."""
    if endpoint.model_label and endpoint.model_label != entry.model_label:
        return False
    if endpoint.object_pk and endpoint.object_pk != entry.object_pk:
        return False
    return filters.matches(
        filters.listed(endpoint.events), filters.type_of(entry.model_label, entry.kind, entry.event)
    )


def _delivery(
    endpoint: WebhookEndpoint, entry: TransitionLog, fields: str | None, now: datetime
) -> WebhookDelivery:
    return WebhookDelivery(
        endpoint=endpoint,
        entry_hash=entry.entry_hash,
        type=filters.type_of(entry.model_label, entry.kind, entry.event),
        model_label=entry.model_label,
        object_pk=entry.object_pk,
        sequence=entry.sequence,
        payload=endpoint.payload,
        fields=fields,
        due_at=now,
        created_at=now,
    )
