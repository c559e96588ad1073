"""How endpoints are doing, for pages that list them: three queries, however many there are.

Must not know how it is shown.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Avg, Count, Max, Min, Q, QuerySet
from django.utils import timezone

from fsm_lifecycle.encryption import Undecryptable, UnusableKeys
from fsm_lifecycle.webhooks.delivery import WebhookAttempt, WebhookDelivery
from fsm_lifecycle.webhooks.endpoint import WebhookEndpoint

#: What "lately" means.
LATELY: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """One endpoint's condition."""

    state: str
    """``ok``, ``failing`` (since the last success), ``paused``, ``off`` (by a person), ``disabled`` (by itself)."""
    reason: str
    """Why it was disabled: ``gone`` or ``failing``; empty otherwise."""
    failures: int
    """Failed attempts in a row."""
    failing_since: datetime | None
    paused_until: datetime | None
    pending: int
    """Messages that wait."""
    oldest_pending: datetime | None
    """Since when the oldest of them waits."""
    dead: int
    """Messages that were given up and are still kept."""
    attempts: int
    """Attempts within the last 24 hours."""
    succeeded: int
    """Those of them that were answered with 2xx."""
    average: float | None
    """Seconds that an attempt took on average within the last 24 hours."""
    last_success: datetime | None
    """To the minute."""
    last_failure: datetime | None
    """Within the last 24 hours."""
    secret_readable: bool
    """Whether its secret can be decrypted; if not, nothing is sent."""

    @property
    def success_rate(self) -> float | None:
        """The part of the attempts that succeeded, from 0 to 1; ``None`` without any."""
        return self.succeeded / self.attempts if self.attempts else None


def health(endpoints: Iterable[WebhookEndpoint]) -> dict[int, Health]:
    """The condition of each of these endpoints, by key."""
    found = list(endpoints)
    if not found:
        return {}
    using = found[0]._state.db or "default"
    keys = [endpoint.pk for endpoint in found]
    rows: QuerySet[Any] = QuerySet(WebhookDelivery, using=using).filter(endpoint__in=keys)
    since = timezone.now() - LATELY
    waiting = _by_endpoint(
        rows.filter(status=WebhookDelivery.PENDING), "endpoint", pending=Count("pk"), oldest=Min("created_at")
    )
    dead = _by_endpoint(rows.filter(status=WebhookDelivery.DEAD), "endpoint", dead=Count("pk"))
    good = Q(status__gte=200, status__lt=300)
    attempts: QuerySet[Any] = QuerySet(WebhookAttempt, using=using)
    tried = _by_endpoint(
        attempts.filter(delivery__endpoint__in=keys, attempted_at__gte=since),
        "delivery__endpoint",
        attempts=Count("pk"),
        succeeded=Count("pk", filter=good),
        average=Avg("elapsed"),
        last_failure=Max("attempted_at", filter=~good | Q(status=None)),
    )
    return {
        endpoint.pk: _of(endpoint, *(part.get(endpoint.pk, {}) for part in (waiting, dead, tried)))
        for endpoint in found
    }


def _by_endpoint(rows: QuerySet[Any], name: str, **wanted: Any) -> dict[int, dict[str, Any]]:
    return {row[name]: row for row in rows.order_by().values(name).annotate(**wanted)}


def _of(
    endpoint: WebhookEndpoint,
    waiting: dict[str, Any],
    dead: dict[str, Any],
    tried: dict[str, Any],
) -> Health:
    return Health(
        state=_state(endpoint),
        reason=endpoint.disabled_reason,
        failures=endpoint.failures,
        failing_since=endpoint.failing_since,
        paused_until=endpoint.paused_until,
        pending=waiting.get("pending", 0),
        oldest_pending=waiting.get("oldest"),
        dead=dead.get("dead", 0),
        attempts=tried.get("attempts", 0),
        succeeded=tried.get("succeeded", 0),
        average=tried.get("average"),
        last_success=endpoint.last_success_at,
        last_failure=tried.get("last_failure"),
        secret_readable=_readable(endpoint),
    )


def _state(endpoint: WebhookEndpoint) -> str:
    if not endpoint.active:
        return "disabled" if endpoint.disabled_reason else "off"
    if endpoint.paused_until is not None:
        return "paused"
    return "failing" if endpoint.failing_since is not None else "ok"


def _readable(endpoint: WebhookEndpoint) -> bool:
    try:
        endpoint.secrets()
    except (Undecryptable, UnusableKeys):
        return False
    return True
