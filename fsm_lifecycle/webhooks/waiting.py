"""The queue: which deliveries may be sent now. One endpoint's at a time, so that none waits for another's receiver.

A claim is of one endpoint, one of those that fewest are sending to, and lasts seconds, so a receiver that hangs holds a
thread or two until the deadline. Of endpoints that keep failing or answer slowly a process serves only some at a time:
the other threads stay free. Must not know how anything is sent.
"""

from __future__ import annotations

import random
from datetime import datetime
from typing import Any, Final

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from fsm_lifecycle.webhooks import pace
from fsm_lifecycle.webhooks.delivery import WebhookDelivery
from fsm_lifecycle.webhooks.endpoint import WebhookEndpoint

#: How many threads of one worker send at most.
WIDTH: Final = 8
#: How many deliveries one claim takes.
BATCH: Final = 200
#: How many claims of one endpoint are at work at a time, so that one sends while the other writes. A single one where
#: it keeps failing or is slow, or half of the threads are busy.
CLAIMS: Final = 2
#: So many claims of endpoints that keep failing or are slow are at work in one process at a time.
_MOST_ILL: Final = WIDTH // 2


def whole(using: str) -> QuerySet[WebhookDelivery]:
    """What waits for all endpoints but those that rest."""
    rows: QuerySet[WebhookDelivery] = QuerySet(WebhookDelivery, using=using)
    rests = Q(endpoint__active=True, endpoint__paused_until__isnull=False)
    return rows.filter(
        ~rests | Q(entry_hash=None) | Q(pk=F("endpoint__probe")), status=WebhookDelivery.PENDING
    )


def ready(using: str) -> QuerySet[WebhookDelivery]:
    """What may be sent to one of the endpoints that have something due."""
    rows: QuerySet[WebhookDelivery] = QuerySet(WebhookDelivery, using=using)
    key = _chosen(using, rows)
    if key is None:
        return rows.none()
    endpoint, probe, is_resting = key
    pending = rows.filter(endpoint=endpoint, status=WebhookDelivery.PENDING)
    return pending.filter(Q(entry_hash=None) | Q(pk=probe)) if is_resting else pending


def _chosen(using: str, rows: QuerySet[WebhookDelivery]) -> tuple[int, int | None, bool] | None:
    """An endpoint, its probe, and whether it rests: of those that fewest are sending to, by lot."""
    now = timezone.now()
    at_work = _claims(rows, now)
    due = rows.filter(
        Q(lease_until=None) | Q(lease_until__lte=now),
        endpoint=OuterRef("pk"),
        status=WebhookDelivery.PENDING,
        due_at__lte=now,
    )
    sendable = Q(entry_hash=None) | Q(pk=OuterRef("probe"))
    rests = Q(active=True, paused_until__isnull=False)
    endpoints: QuerySet[Any] = QuerySet(WebhookEndpoint, using=using)
    found = endpoints.filter(~rests & Exists(due) | rests & Exists(due.filter(sendable))).values_list(
        "pk", "probe", "active", "paused_until", "failing_since"
    )
    most = CLAIMS if sum(at_work.values()) < WIDTH // 2 else 1
    well: list[tuple[int, tuple[int, int | None, bool]]] = []
    ill: list[tuple[int, tuple[int, int | None, bool]]] = []
    for key, probe, active, paused, failing in found:
        claims, is_well = at_work.get(key, 0), failing is None and not pace.is_slow(using, key)
        if claims < (most if is_well else 1):
            row = (claims, (key, probe, active and paused is not None))
            (well if is_well else ill).append(row)
    if ill and pace.held_up(using) < _MOST_ILL:
        well += ill
    fewest = min((claims for claims, _ in well), default=0)
    chosen = [one for claims, one in well if claims == fewest]
    return random.choice(chosen) if chosen else None  # noqa: S311 - fairness, no secret


def _claims(rows: QuerySet[WebhookDelivery], now: datetime) -> dict[int, int]:
    """How many claims are at work for each endpoint. Only pending rows hold leases: an outcome ends them."""
    held = rows.filter(status=WebhookDelivery.PENDING, lease_until__gt=now).order_by()
    return dict(held.values_list("endpoint").annotate(claims=Count("holder", distinct=True)))
