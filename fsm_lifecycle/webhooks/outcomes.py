"""What becomes of deliveries and of their endpoint after attempts: delivered, tried again, dead; paused, open, off.

Must not know how anything is sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from django.db import DatabaseError, connections
from django.db.models import F, QuerySet
from django.utils import timezone

from fsm_lifecycle.dispatch import leases
from fsm_lifecycle.transactions import is_conflict, writing
from fsm_lifecycle.webhooks import schedule, switching
from fsm_lifecycle.webhooks.delivery import WebhookAttempt, WebhookDelivery
from fsm_lifecycle.webhooks.endpoint import WebhookEndpoint

#: So many characters of a response are kept.
KEPT: Final = 4000
#: How often what lost to another transaction is written anew.
_TRIES: Final = 4


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one attempt came to."""

    delivery: WebhookDelivery
    at: datetime
    elapsed: float
    status: int | None = None
    retry_after: str | None = None
    head: str = ""
    error_class: str = ""

    @property
    def succeeded(self) -> bool:
        """2xx alone is a success: a redirect is not followed, and is a failure."""
        return self.status is not None and 200 <= self.status < 300


def write(using: str, endpoint: int, outcomes: Sequence[Outcome], probe: int | None) -> bool:
    """Write down what attempts came to, in one transaction; whether more may be sent to the endpoint now.

    ``probe``: the delivery that was sent to find out whether a paused endpoint works again.
    """
    nested = connections[using].in_atomic_block
    for tries_left in reversed(range(_TRIES)):
        try:
            # Settling changes a delivery in memory, so each try has its own.
            return _write(
                using, endpoint, [replace(one, delivery=copy(one.delivery)) for one in outcomes], probe
            )
        except DatabaseError as error:
            if nested or not tries_left or not is_conflict(error):
                raise
    raise AssertionError("unreachable")  # pragma: no cover


def _write(using: str, endpoint: int, outcomes: Sequence[Outcome], probe: int | None) -> bool:
    well = [one for one in outcomes if one.succeeded]
    ill = [one for one in outcomes if not one.succeeded]
    with writing(using, savepoint=False):
        # The endpoint first, then its deliveries: everybody in this order.
        held = switching.locked(using, endpoint) if ill else None
        if ill and held is None:
            return False  # removed meanwhile, and all of this with it
        _keep(using, outcomes)
        if well:
            _delivered(using, well)
            switching.works(using, endpoint)
        if held is None:
            return True
        if well:
            held.refresh_from_db(using=using)
        for outcome in ill:
            _failed(using, held, outcome, probe)
        return held.active and held.paused_until is None


def give_up(delivery: WebhookDelivery, reason: str) -> bool:
    """Give a claimed delivery up."""
    return leases.settle(delivery, status=WebhookDelivery.DEAD, reason=reason, settled_at=timezone.now())


def _keep(using: str, outcomes: Sequence[Outcome]) -> None:
    here = set(
        QuerySet(WebhookDelivery, using=using)
        .filter(pk__in=[one.delivery.pk for one in outcomes])
        .values_list("pk", flat=True)
    )
    WebhookAttempt.objects.using(using).bulk_create(
        [
            WebhookAttempt(
                delivery_id=one.delivery.pk,
                number=one.delivery.attempt + 1,
                status=one.status,
                elapsed=one.elapsed,
                response_head=one.head[:KEPT].replace("\x00", "\ufffd"),
                error_class=one.error_class,
                attempted_at=one.at,
            )
            for one in outcomes
            if one.delivery.pk in here
        ]
    )


def _delivered(using: str, outcomes: Sequence[Outcome]) -> None:
    """All with one statement. A claim has a name of its own, so who lost the lease meanwhile writes nothing."""
    by_claim: dict[str, list[int]] = {}
    for one in outcomes:
        by_claim.setdefault(one.delivery.holder, []).append(one.delivery.pk)
    rows: QuerySet[Any] = QuerySet(WebhookDelivery, using=using)
    for holder, keys in by_claim.items():
        rows.filter(pk__in=keys, holder=holder).update(
            status=WebhookDelivery.DELIVERED,
            reason="",
            attempt=F("attempt") + 1,
            settled_at=timezone.now(),
            postponed_to=None,
            lease_until=None,
            holder="",
        )


def _failed(using: str, endpoint: WebhookEndpoint, outcome: Outcome, probe: int | None) -> None:
    now, delivery = timezone.now(), outcome.delivery
    if delivery.is_test:
        give_up(delivery, "test_failed")
        return
    if not endpoint.active:
        give_up(delivery, f"endpoint_{endpoint.disabled_reason or 'off'}")
        return
    was_probe = delivery.pk == probe and endpoint.paused_until is not None
    asked = schedule.retry_after(outcome.retry_after, now)
    switching.failed(endpoint, now, was_probe=was_probe, retry_after=asked)
    if outcome.status == 410 or switching.is_hopeless(endpoint, now):
        reason = "gone" if outcome.status == 410 else "failing"
        _save(using, endpoint)
        give_up(delivery, f"endpoint_{reason}")
        switching.disable(endpoint, reason, using)
        return
    _save(using, endpoint)
    if was_probe:  # uses up no try, and is due again as its own schedule says
        leases.settle(delivery, due_at=delivery.postponed_to or delivery.due_at, postponed_to=None)
        return
    attempt = delivery.attempt + 1
    due = schedule.next_try(attempt, now, asked)
    if due is None:
        leases.settle(delivery, status=WebhookDelivery.DEAD, reason="tries", attempt=attempt, settled_at=now)
    else:
        leases.settle(delivery, due_at=due, attempt=attempt, postponed_to=None)


def _save(using: str, endpoint: WebhookEndpoint) -> None:
    rows: QuerySet[Any] = QuerySet(WebhookEndpoint, using=using).filter(pk=endpoint.pk)
    rows.update(
        failures=endpoint.failures,
        failing_since=endpoint.failing_since,
        paused_until=endpoint.paused_until,
        pauses=endpoint.pauses,
        probe=endpoint.probe,
    )
