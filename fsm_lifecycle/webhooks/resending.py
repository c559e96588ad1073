"""Sending again: one message, all since a moment, or a test. Must not know who may ask for it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from django.db.models import Q, QuerySet
from django.utils import timezone

from fsm_lifecycle.dispatch.waking import offer
from fsm_lifecycle.exceptions import LifecycleError
from fsm_lifecycle.ledger.entry import FIRST_MOMENT, LAST_MOMENT, TransitionLog
from fsm_lifecycle.transactions import writing
from fsm_lifecycle.webhooks import relay
from fsm_lifecycle.webhooks.delivery import WebhookDelivery
from fsm_lifecycle.webhooks.endpoint import WebhookEndpoint
from fsm_lifecycle.webhooks.payload import TEST

#: So many entries are looked at in one transaction.
_PAGE: Final = 500


class EndpointOff(LifecycleError):
    """The endpoint is switched off, so nothing is sent to it."""

    code = "endpoint_off"


def resend(delivery: WebhookDelivery) -> WebhookDelivery:
    """Have a message sent again, with all its tries. It keeps its id, so receivers know it for the same.

    One that is being sent at this moment is left at that. Raises ``EndpointOff``.
    """
    using = delivery._state.db or "default"
    _refuse_off(delivery.endpoint)
    rows: QuerySet[Any] = QuerySet(WebhookDelivery, using=using)
    _again(rows.filter(pk=delivery.pk))
    offer("webhooks", using)
    delivery.refresh_from_db(using=using)
    return delivery


def resend_since(endpoint: WebhookEndpoint, when: datetime) -> int:
    """Have an endpoint told once more of everything recorded since a moment; how many messages that makes.

    Also of entries that it was never told of, because it was not there or off: what its filter matches and its owner
    may see. Works through the log a page at a time, each in a transaction of its own. Raises ``EndpointOff``.
    """
    using = endpoint._state.db or "default"
    _refuse_off(endpoint)
    when = min(max(when, FIRST_MOMENT), LAST_MOMENT)  # no database has to know the ends of the calendar
    entries = TransitionLog.objects.using(using).filter(recorded_at__gte=when).order_by("recorded_at", "id")
    count = 0
    page = list(entries[:_PAGE])
    while page:
        count += _tell_again(endpoint, page, using)
        last = page[-1]
        after = Q(recorded_at__gt=last.recorded_at) | Q(id__gt=last.pk)
        page = list(entries.filter(after, recorded_at__gte=last.recorded_at)[:_PAGE])
    return count


def _tell_again(endpoint: WebhookEndpoint, entries: list[TransitionLog], using: str) -> int:
    with writing(using, savepoint=False):
        due = relay.due_to(endpoint, entries, using, later=False)
        hashes = [one.entry_hash for one in due]
        rows: QuerySet[Any] = QuerySet(WebhookDelivery, using=using)
        there = rows.filter(endpoint=endpoint.pk, entry_hash__in=hashes)
        known = set(there.values_list("entry_hash", flat=True))
        _again(there)
        relay.insert([one for one in due if one.entry_hash not in known], using)
    return len(due)


def send_test(endpoint: WebhookEndpoint) -> WebhookDelivery:
    """Send a message of the type ``fsm_lifecycle.test``; its delivery says what came of it.

    Also to an endpoint that is paused, which a success opens again, or off. There is one try, and a failure counts
    for nothing.
    """
    using = endpoint._state.db or "default"
    now = timezone.now()
    delivery = WebhookDelivery(endpoint=endpoint, type=TEST, due_at=now, created_at=now)
    delivery.save(using=using)
    offer("webhooks", using)
    return delivery


def _again(deliveries: QuerySet[Any]) -> None:
    """Due now and with all tries, unless somebody is sending it."""
    now = timezone.now()
    deliveries.filter(Q(lease_until=None) | Q(lease_until__lte=now)).update(
        status=WebhookDelivery.PENDING,
        reason="",
        attempt=0,
        due_at=now,
        postponed_to=None,
        settled_at=None,
        lease_until=None,
        holder="",
    )


def _refuse_off(endpoint: WebhookEndpoint) -> None:
    if not endpoint.active:
        raise EndpointOff(f"The webhook endpoint {endpoint} is off. Switch it on first.")
