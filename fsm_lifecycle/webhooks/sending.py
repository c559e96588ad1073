"""Sending: one claim of deliveries of one endpoint, tried side by side, and what became of each.

The database is touched by the claiming thread alone; the others only talk to receivers. A claim begins nothing more
when its time is up, or the worker is to end: what was not begun is given back, and what is under way has its deadline.
Must not know how deliveries were made.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import timedelta
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from django.db.models import QuerySet
from django.utils import timezone

from fsm_lifecycle.dispatch import leases
from fsm_lifecycle.encryption import Undecryptable, UnusableKeys
from fsm_lifecycle.ledger.entry import TransitionLog
from fsm_lifecycle.webhooks import outcomes, pace
from fsm_lifecycle.webhooks.delivery import WebhookDelivery
from fsm_lifecycle.webhooks.endpoint import WebhookEndpoint
from fsm_lifecycle.webhooks.message import Message
from fsm_lifecycle.webhooks.owners import seen_by
from fsm_lifecycle.webhooks.payload import body_of
from fsm_lifecycle.webhooks.senders import Senders

logger = logging.getLogger("fsm_lifecycle")

#: So many messages are on their way to one endpoint at a time, from one claim.
SIDE_BY_SIDE: Final = 10
#: So many are made ready beside them while all goes well.
_READY: Final = 90
#: Seconds in which one claim begins messages; then it is another endpoint's turn.
SPELL: Final = 2.0
#: Seconds without an answer after which it is seen whether the claim goes on.
_LOOK: Final = 0.25
#: How long messages wait that cannot be signed, because a key is missing here.
_KEY_MISSING: Final = timedelta(minutes=5)


def _agent() -> str:
    try:
        return f"fsm-lifecycle/{version('fsm-lifecycle')}"
    except PackageNotFoundError:  # run from its sources
        return "fsm-lifecycle"


_AGENT: Final = _agent()


def work(using: str, deliveries: Sequence[WebhookDelivery], stopped: Callable[[], bool] = bool) -> None:
    """Send claimed deliveries and settle each, or give it back."""
    by_endpoint: dict[int, list[WebhookDelivery]] = {}
    for delivery in deliveries:
        by_endpoint.setdefault(delivery.endpoint_id, []).append(delivery)
    rows: QuerySet[WebhookEndpoint] = QuerySet(WebhookEndpoint, using=using)
    endpoints = rows.select_related("owner").in_bulk(list(by_endpoint))
    for key, found in by_endpoint.items():
        if key in endpoints:  # else they are gone with it
            failing = endpoints[key].failing_since is not None
            with pace.serving(using, key, failing=failing):
                _send_all(using, endpoints[key], found, stopped)


def _send_all(
    using: str,
    endpoint: WebhookEndpoint,
    deliveries: Sequence[WebhookDelivery],
    stopped: Callable[[], bool],
) -> None:
    probe = endpoint.probe if endpoint.is_paused else None
    messages = list(_messages(using, endpoint, list(_still_wanted(endpoint, deliveries))))
    waiting = deque(messages)
    last = time.monotonic()
    until = last + SPELL
    room, goes_on = SIDE_BY_SIDE, True
    with closing(Senders(SIDE_BY_SIDE if len(messages) > 1 else 0)) as senders:
        while True:
            goes_on = goes_on and time.monotonic() < until and not stopped()
            if not goes_on:  # what is under way may take long: nobody waits for it with the rest
                leases.give_back([message.delivery for message in (*waiting, *senders.take_back())])
                waiting.clear()
            if not len(senders):
                room = max(room, SIDE_BY_SIDE)
            while goes_on and waiting and len(senders) < room:
                senders.give(waiting.popleft())
            if not len(senders):
                break
            found = senders.answers(_LOOK)
            if max((one.elapsed for one in found), default=time.monotonic() - last) > pace.SLOW:
                pace.slow(using, endpoint.pk)
            if not found:
                continue
            last = time.monotonic()
            goes_on &= outcomes.write(using, endpoint.pk, found, probe)
            # After a failure the others are waited for first: they may all hang.
            room = SIDE_BY_SIDE + _READY if all(one.succeeded for one in found) else 0


def _still_wanted(
    endpoint: WebhookEndpoint, deliveries: Sequence[WebhookDelivery]
) -> Iterator[WebhookDelivery]:
    """Those that may be sent now; the rest is given back, or dead."""
    for delivery in deliveries:
        if delivery.is_test:
            yield delivery
        elif not endpoint.active:
            outcomes.give_up(delivery, "endpoint_off")
        elif endpoint.is_paused and delivery.pk != endpoint.probe:
            leases.settle(delivery)
        else:
            yield delivery


def _messages(
    using: str, endpoint: WebhookEndpoint, deliveries: Sequence[WebhookDelivery]
) -> Iterator[Message]:
    if not deliveries:
        return
    try:
        secrets = endpoint.secrets()
    except (Undecryptable, UnusableKeys):
        logger.exception(
            "The secret of the webhook endpoint %s cannot be read; nothing is sent.", endpoint.pk
        )
        for delivery in deliveries:
            leases.settle(delivery, due_at=timezone.now() + _KEY_MISSING)
        return
    hashes = [one.entry_hash for one in deliveries if one.entry_hash]
    log = TransitionLog.objects.using(using).filter(entry_hash__in=hashes)
    entries = {entry.entry_hash: entry for entry in log}
    owner: Any = endpoint.owner
    seen = None if owner is None else seen_by(owner, list(entries.values()), using, gone=True)
    for delivery in deliveries:
        entry = None
        if delivery.entry_hash is not None:
            entry = entries.get(delivery.entry_hash)
            if entry is None:
                outcomes.give_up(delivery, "entry_missing")
                continue
            if seen is not None and entry.entry_hash not in seen:
                outcomes.give_up(delivery, "not_visible")
                continue
        headers = {
            "Content-Type": "application/json",
            "User-Agent": _AGENT,
            "X-FSM-Event": delivery.type,
            "X-FSM-Record-Type": delivery.model_label,
        }
        yield Message(delivery, endpoint.url, _plain(headers), body_of(delivery, entry), secrets)


def _plain(headers: Mapping[str, str]) -> dict[str, str]:
    """Header values in ASCII: a label may hold anything."""
    return {
        name: value.encode("ascii", "backslashreplace").decode("ascii")
        for name, value in headers.items()
        if value
    }
