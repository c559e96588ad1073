"""Settings of webhooks that cannot be used are named before anything is sent."""

from __future__ import annotations

from typing import Any

import pytest

from fsm_lifecycle.checks.webhooks import check_webhooks, check_webhooks_deployed
from tests.checks.asking import ids

pytestmark = [pytest.mark.pure, pytest.mark.once]

ILL: dict[str, tuple[str, Any]] = {
    "a key that is too short": ("E085", {"ENCRYPTION_KEYS": ["short"]}),
    "keys that are one text": ("E085", {"ENCRYPTION_KEYS": "x" * 40}),
    "a path for a URL": ("E086", {"BASE_URL": "/lifecycle"}),
    "another scheme": ("E086", {"BASE_URL": "ftp://example.com"}),
    "no text": ("E086", {"BASE_URL": 7}),
    "a broken URL": ("E086", {"BASE_URL": "https://[::1"}),
    "a port beside the list": ("E087", {"WEBHOOK_ALLOWED_PORTS": 443}),
    "a port that is none": ("E087", {"WEBHOOK_ALLOWED_PORTS": [70000]}),
    "a network that is none": ("E087", {"WEBHOOK_ALLOWED_NETWORKS": ["127.0.0.1/8"]}),
    "a proxy that is none": ("E087", {"WEBHOOK_PROXY": "proxy.example.com"}),
    "a time that is one number": ("E087", {"WEBHOOK_TIMEOUT": 15}),
    "a whole that is shorter than its part": ("E087", {"WEBHOOK_TIMEOUT": (15, 5)}),
    "a word for yes": ("E087", {"WEBHOOK_ALLOW_HTTP": "yes"}),
}


@pytest.mark.parametrize(("id_", "own"), ILL.values(), ids=ILL)
def test_what_cannot_be_used_is_an_error(id_: str, own: dict[str, Any], settings: Any) -> None:
    settings.FSM_LIFECYCLE = own
    (message,) = check_webhooks()
    assert message.id == f"fsm_lifecycle.{id_}"
    assert next(iter(own)) in message.msg
    assert message.hint


def test_sound_settings_have_no_defect(settings: Any) -> None:
    settings.FSM_LIFECYCLE = {
        "ENCRYPTION_KEYS": ["x" * 32],
        "BASE_URL": "https://example.com/app",
        "WEBHOOK_ALLOW_HTTP": False,
        "WEBHOOK_ALLOWED_PORTS": [443, 8443],
        "WEBHOOK_ALLOWED_NETWORKS": ["10.0.0.0/8", "fd00::/8"],
        "WEBHOOK_PROXY": "http://proxy.example.com:3128",
        "WEBHOOK_TIMEOUT": (1, 10.5),
    }
    assert check_webhooks() == check_webhooks_deployed() == []
    settings.FSM_LIFECYCLE = {}
    assert check_webhooks() == check_webhooks_deployed() == []


def test_what_is_for_development_is_told_of_at_deployment(settings: Any) -> None:
    settings.FSM_LIFECYCLE = {"WEBHOOK_ALLOW_HTTP": True, "WEBHOOK_ALLOWED_NETWORKS": ["127.0.0.1/32"]}
    assert ids(check_webhooks_deployed()) == ["W088", "W088"]
