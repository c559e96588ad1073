"""Owns how endpoints, deliveries and attempts read on pages, and which endpoints a user has to do with.

What a receiver answered is a stranger's text: it is only ever shown, escaped. Must not know which page shows it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from django.db import router
from django.db.models import QuerySet

from fsm_lifecycle import conf
from fsm_lifecycle.admin.section.page import Page
from fsm_lifecycle.admin.section.seen import Seen, url_of_record
from fsm_lifecycle.webhooks.condition import Health, health
from fsm_lifecycle.webhooks.delivery import WebhookAttempt, WebhookDelivery
from fsm_lifecycle.webhooks.endpoint import WebhookEndpoint

PERMISSION: Final = "fsm_lifecycle.manage_webhooks"
#: How many of an endpoint's newest deliveries its bar shows.
BAR: Final = 20
_LARGEST: Final = 2**63

#: Tone of the tag, and the word, for each state of an endpoint.
STATES: Final = {
    "ok": ("ok", "delivering"),
    "failing": ("warn", "failing"),
    "paused": ("warn", "paused"),
    "off": ("", "switched off"),
    "disabled": ("error", "switched off by itself"),
}
#: The same for each state of a delivery.
STATUSES: Final = {
    "delivered": ("ok", "delivered"),
    "pending": ("warn", "waiting"),
    "dead": ("error", "dead"),
}
WHY_DISABLED: Final = {
    "gone": "The receiver answered 410 Gone.",
    "failing": "It failed for five days without a success.",
}
WHY_DEAD: Final = {
    "tries": "every try failed",
    "endpoint_off": "the endpoint was switched off",
    "endpoint_gone": "the receiver answered 410 Gone",
    "endpoint_failing": "the endpoint was given up after five days",
    "not_visible": "the owner may not see the record",
    "entry_missing": "the entry is not in the log any more",
    "test_failed": "the test failed",
}
ERRORS: Final = {
    "AddressRefused": "the address is not allowed",
    "NameNotResolved": "the name was not found",
    "ConnectFailed": "no connection",
    "TlsFailed": "TLS failed",
    "ConnectionLost": "the connection was lost",
    "ProtocolBroken": "the answer was no HTTP",
    "DeadlineExceeded": "no whole answer in time",
}


def endpoints_of(user: Any) -> QuerySet[WebhookEndpoint]:
    """The endpoints that a user manages: all for superusers, else their own."""
    rows: QuerySet[WebhookEndpoint] = QuerySet(WebhookEndpoint, using=router.db_for_write(WebhookEndpoint))
    return rows if user.is_superuser else rows.filter(owner=user)


def endpoint_of(user: Any, pk: int) -> WebhookEndpoint | None:
    """The endpoint with a key, where the user manages it."""
    return endpoints_of(user).select_related("owner").filter(pk=pk).first() if pk < _LARGEST else None


def deliveries_of(endpoints: QuerySet[WebhookEndpoint], using: str) -> QuerySet[WebhookDelivery]:
    """The deliveries of these endpoints."""
    rows: QuerySet[WebhookDelivery] = QuerySet(WebhookDelivery, using=using)
    return rows.filter(endpoint__in=endpoints.values("pk"))


def endpoint_rows(page: Page, endpoints: Sequence[WebhookEndpoint]) -> list[dict[str, Any]]:
    """Endpoints as rows of a list, with how they are doing."""
    found = health(endpoints)
    return [endpoint_row(page, one, found[one.pk]) for one in endpoints]


def endpoint_row(page: Page, endpoint: WebhookEndpoint, standing: Health) -> dict[str, Any]:
    """One endpoint, with how it is doing."""
    tone, word = STATES[standing.state]
    return {
        "endpoint": endpoint,
        "name": str(endpoint),
        "url": page.url("webhook", pk=endpoint.pk),
        "health": standing,
        "tone": tone,
        "word": word,
        "why": WHY_DISABLED.get(standing.reason, ""),
        "bar": _bar(endpoint),
        "wants": ", ".join(endpoint.events) if isinstance(endpoint.events, list) else "",
    }


def _bar(endpoint: WebhookEndpoint) -> dict[str, Any]:
    """The newest deliveries as a row of small bars, oldest first, and in words."""
    rows: QuerySet[Any] = QuerySet(WebhookDelivery, using=endpoint._state.db).filter(endpoint=endpoint)
    newest = list(rows.order_by("-id").values_list("status", flat=True)[:BAR])[::-1]
    marks = {"delivered": "h1", "dead": "h0"}
    return {
        "parts": [(6 * place, marks.get(status, "h2")) for place, status in enumerate(newest)],
        "number": len(newest),
        "delivered": newest.count("delivered"),
        "dead": newest.count("dead"),
        "pending": newest.count("pending"),
    }


def delivery_rows(page: Page, deliveries: Sequence[WebhookDelivery], user: Any) -> list[dict[str, Any]]:
    """Deliveries as rows of a list, each with its last answer."""
    if not deliveries:
        return []
    using = deliveries[0]._state.db or "default"
    attempts: QuerySet[Any] = QuerySet(WebhookAttempt, using=using)
    tried = attempts.filter(delivery__in=[one.pk for one in deliveries]).order_by("id")
    last = {one.delivery_id: one for one in tried.defer("response_head")}
    places = ((one.model_label, one.object_pk) for one in deliveries if one.object_pk)
    records = Seen(user).records(places)
    return [_delivery_row(page, one, last.get(one.pk), records) for one in deliveries]


def _delivery_row(
    page: Page, one: WebhookDelivery, attempt: WebhookAttempt | None, records: Mapping[Any, Any]
) -> dict[str, Any]:
    tone, word = STATUSES[one.status]
    record = records.get((one.model_label, one.object_pk))
    pending = one.status == WebhookDelivery.PENDING
    # As in the queue: a paused endpoint gets tests and its probe alone.
    waits = pending and one.endpoint.is_paused and bool(one.entry_hash) and one.pk != one.endpoint.probe
    return {
        "delivery": one,
        "tone": tone,
        "word": word,
        "answer": answer(attempt) if attempt is not None else "not tried yet",
        "why": WHY_DEAD.get(one.reason, one.reason),
        "record_url": url_of_record(page._site, record) if record is not None else "",
        "url": page.url("webhook_delivery", endpoint=one.endpoint_id, pk=one.pk),
        "endpoint": str(one.endpoint),
        "endpoint_url": page.url("webhook", pk=one.endpoint_id),
        "again": one.status != WebhookDelivery.DELIVERED,
        "next": one.due_at if pending and one.attempt and not waits else None,
        "waits": waits,
    }


def answer(attempt: WebhookAttempt) -> str:
    """What came back, in a few words."""
    if attempt.status is not None:
        return f"{attempt.status} in {attempt.elapsed:.2f} s"
    return f"{ERRORS.get(attempt.error_class, attempt.error_class)}, {attempt.elapsed:.2f} s"


def attempt_rows(attempts: Iterable[WebhookAttempt]) -> list[dict[str, Any]]:
    """Attempts with what the receiver said, as text."""
    return [
        {
            "attempt": one,
            "answer": answer(one),
            "tone": "ok" if one.succeeded else "error",
            "head": one.response_head,
        }
        for one in attempts
    ]


def can_store_secrets() -> bool:
    """Whether there is a key to encrypt secrets with."""
    return bool(conf.configured().get("ENCRYPTION_KEYS"))
