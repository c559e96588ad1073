"""Owns what every webhook judged by the specification begins with: a receiver that may be reached."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from fsm_lifecycle.webhooks import transport
from tests.webhooks.receiver import Receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    transport.close()
    made.close()


@pytest.fixture(autouse=True)
def configured(settings: Any, receiver: Receiver) -> dict[str, Any]:
    settings.FSM_LIFECYCLE = {
        "DISPATCH": "command",
        "ENCRYPTION_KEYS": ["a key for tests that is long enough to be one"],
        "WEBHOOK_ALLOW_HTTP": True,
        "WEBHOOK_ALLOWED_NETWORKS": ["127.0.0.1/32"],
        "WEBHOOK_ALLOWED_PORTS": [receiver.port],
        "WEBHOOK_TIMEOUT": (30, 60),  # of a busy machine
    }
    found: dict[str, Any] = settings.FSM_LIFECYCLE
    return found
