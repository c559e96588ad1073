"""What an endpoint is put into: paused, open again, or off for good. Must not know what was sent to it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connections
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from fsm_lifecycle.transactions import writing
from fsm_lifecycle.webhooks import notices, schedule
from fsm_lifecycle.webhooks.delivery import WebhookDelivery
from fsm_lifecycle.webhooks.endpoint import WELL, WebhookEndpoint, bury

#: How exactly the last success is known.
_A_WHILE: Final = timedelta(minutes=1)


def locked(using: str, key: int) -> WebhookEndpoint | None:
    """The endpoint as it is now, its row held until the transaction ends."""
    rows: QuerySet[WebhookEndpoint] = QuerySet(WebhookEndpoint, using=using)
    # Without its key: whoever writes rows that refer to it need not wait.
    held = rows.select_for_update(no_key=connections[using].features.has_select_for_no_key_update)
    return held.filter(pk=key).first()


def works(using: str, key: int) -> None:
    """A message arrived: whatever was wrong is over. Writes once a minute where nothing was."""
    now = timezone.now()
    ill = Q(failures__gt=0) | Q(failing_since__isnull=False) | Q(paused_until__isnull=False)
    old = Q(last_success_at=None) | Q(last_success_at__lt=now - _A_WHILE)
    rows: QuerySet[WebhookEndpoint] = QuerySet(WebhookEndpoint, using=using).filter(ill | old, pk=key)
    rows.update(**WELL, last_success_at=now)


def failed(
    endpoint: WebhookEndpoint, now: datetime, *, was_probe: bool, retry_after: float | None = None
) -> None:
    """An attempt failed. ``endpoint`` is held by this transaction; it is changed in memory, not saved.

    ``retry_after``: seconds for which the receiver asked to be left alone. A pause is no shorter.
    """
    endpoint.failures += 1
    endpoint.failing_since = endpoint.failing_since or now
    if was_probe or (endpoint.failures >= schedule.FAILURES and endpoint.paused_until is None):
        endpoint.paused_until = now + schedule.pause(endpoint.pauses)
        endpoint.pauses += 1
        endpoint.probe = None
    if endpoint.paused_until is not None and retry_after:
        endpoint.paused_until = max(endpoint.paused_until, now + timedelta(seconds=retry_after))


def is_hopeless(endpoint: WebhookEndpoint, now: datetime) -> bool:
    """Whether it failed for so long that it is given up."""
    return endpoint.failing_since is not None and now - endpoint.failing_since >= schedule.GIVEN_UP_AFTER


def disable(endpoint: WebhookEndpoint, reason: str, using: str) -> None:
    """Switch an endpoint off that is held by this transaction: what waits is dead, and it is told."""
    rows: QuerySet[WebhookEndpoint] = QuerySet(WebhookEndpoint, using=using).filter(pk=endpoint.pk)
    rows.update(active=False, disabled_reason=reason, paused_until=None, probe=None)
    endpoint.active, endpoint.disabled_reason = False, reason
    endpoint.paused_until = endpoint.probe = None
    bury(using, [endpoint.pk])
    notices.tell(endpoint, reason, using)


def reopen(endpoint: WebhookEndpoint) -> None:
    """End an endpoint's pause: what waits is sent as its own schedule says."""
    using = endpoint._state.db or "default"
    rows: QuerySet[WebhookEndpoint] = QuerySet(WebhookEndpoint, using=using).filter(pk=endpoint.pk)
    rows.update(**WELL)
    for name, value in WELL.items():
        setattr(endpoint, name, value)
    _offer(using)


def choose_probes(using: str) -> int:
    """For each endpoint whose pause is over, make the message due that has waited longest; how many there were."""
    now = timezone.now()
    rows: QuerySet[WebhookEndpoint] = QuerySet(WebhookEndpoint, using=using)
    waiting: QuerySet[Any] = QuerySet(WebhookDelivery, using=using).filter(
        Q(lease_until=None) | Q(lease_until__lte=now),
        endpoint=OuterRef("pk"),
        status=WebhookDelivery.PENDING,
        entry_hash__isnull=False,
    )
    over = rows.filter(Exists(waiting), active=True, paused_until__lte=now)
    keys = list(over.values_list("pk", flat=True))
    return sum(_choose(using, key, now) for key in keys)


def _choose(using: str, key: int, now: datetime) -> int:
    with writing(using, savepoint=False):
        endpoint = locked(using, key)
        if (
            endpoint is None
            or not endpoint.active
            or not endpoint.paused_until
            or endpoint.paused_until > now
        ):
            return 0
        rows: QuerySet[Any] = QuerySet(WebhookDelivery, using=using)
        waiting = rows.filter(endpoint=key, status=WebhookDelivery.PENDING, entry_hash__isnull=False)
        if endpoint.probe is not None and waiting.filter(pk=endpoint.probe).exists():
            return 0
        free = Q(lease_until=None) | Q(lease_until__lte=now)
        probe = waiting.filter(free).order_by("pk").first()
        if probe is None:
            return 0
        postponed = probe.postponed_to or probe.due_at
        if not waiting.filter(free, pk=probe.pk).update(due_at=now, postponed_to=postponed):
            return 0
        QuerySet(WebhookEndpoint, using=using).filter(pk=key).update(probe=probe.pk)
    _offer(using)
    return 1


def _offer(using: str) -> None:
    from fsm_lifecycle.dispatch.waking import offer

    offer("webhooks", using)
