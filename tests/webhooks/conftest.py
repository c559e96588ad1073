"""Owns what the tests of webhooks share: a receiver, settings that let it be reached, endpoints."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from fsm_lifecycle.dispatch.working import work_off
from fsm_lifecycle.models import WebhookDelivery, WebhookEndpoint
from fsm_lifecycle.webhooks import transport
from tests.webhooks.receiver import Receiver

KEY = "a key for tests that is long enough to be one"

#: Settings are a dict of their own for each test; a test adds to it.
Settings = dict[str, Any]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    transport.close()
    made.close()


@pytest.fixture
def lifecycle_settings(settings: Any) -> Settings:
    settings.FSM_LIFECYCLE = {
        "DISPATCH": "command",
        "ENCRYPTION_KEYS": [KEY],
        "WEBHOOK_ALLOW_HTTP": True,
        "WEBHOOK_ALLOWED_NETWORKS": ["127.0.0.0/8"],
        "WEBHOOK_TIMEOUT": (30, 60),  # of a busy machine
    }
    found: Settings = settings.FSM_LIFECYCLE
    return found


@pytest.fixture
def reachable(lifecycle_settings: Settings, receiver: Receiver) -> Receiver:
    """The receiver, with settings under which messages may be sent to it."""
    lifecycle_settings["WEBHOOK_ALLOWED_PORTS"] = [receiver.port]
    return receiver


@pytest.fixture
def endpoint(db: None, reachable: Receiver) -> WebhookEndpoint:
    """An endpoint without an owner that is told of every event."""
    return WebhookEndpoint.objects.create(url=reachable.url())


@pytest.fixture
def work() -> Callable[[], int]:
    """Do everything that is due now: relay, probes, deliveries. However long it takes, what is tried again is later."""

    def work() -> int:
        with time_machine.travel(timezone.now(), tick=False):
            return work_off("default")

    return work


def delivery_of(entry: Any, endpoint: WebhookEndpoint) -> WebhookDelivery:
    return WebhookDelivery.objects.get(entry_hash=entry.entry_hash, endpoint=endpoint)
