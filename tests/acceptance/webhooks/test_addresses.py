"""Where nothing is sent to, by the specification's words alone."""

from __future__ import annotations

import socket
from typing import Any
from unittest import mock

import pytest

from fsm_lifecycle.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from tests.acceptance.webhooks.acts import sent, work
from tests.webhooks.receiver import Receiver

# What tells databases apart is tried beside the package's own tests of webhooks.
pytestmark = pytest.mark.once


BAD = """10.0.0.1 127.0.0.2 169.254.169.254 192.168.1.1 172.16.0.1 100.64.0.1 0.0.0.0 224.0.0.1 255.255.255.255
198.18.0.1 192.0.2.1 203.0.113.5 240.0.0.1 192.0.0.8 192.88.99.1 ::1 :: fe80::1 fc00::1 fd00:ec2::254
::ffff:127.0.0.1 ::ffff:8.8.8.8 64:ff9b::7f00:1 64:ff9b:1::1 2002:7f00:1:: 2001::1 2001:db8::1 3fff::1 ff02::1
100::1 ::7f00:1 fec0::1 5f00::1""".split()


@pytest.mark.django_db
@pytest.mark.parametrize("address", BAD)
def test_no_address_inside_is_connected_to(address: str, receiver: Receiver) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    public = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34", receiver.port))
    bad = (family, socket.SOCK_STREAM, 6, "", (address, receiver.port, 0, 0)[: 4 if ":" in address else 2])
    WebhookEndpoint.objects.create(url=f"http://hooks.example:{receiver.port}/", events=["*.send_invoice"])
    sent()
    connect = mock.Mock(side_effect=AssertionError("connected"))
    with (
        mock.patch("socket.getaddrinfo", return_value=[public, bad]),
        mock.patch("socket.create_connection", connect),
        mock.patch("socket.socket.connect", connect),
    ):
        work()
    assert not connect.called
    attempt = WebhookAttempt.objects.get()
    assert attempt.status is None
    assert attempt.error_class


@pytest.mark.django_db
@pytest.mark.parametrize(
    "host",
    ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "[::ffff:127.0.0.1]", "[::1]", "localhost.", "0"],
)
def test_odd_spellings_of_an_address(host: str, receiver: Receiver, configured: dict[str, Any]) -> None:
    configured["WEBHOOK_ALLOWED_NETWORKS"] = []
    WebhookEndpoint.objects.create(url=f"http://{host}:{receiver.port}/", events=["*.send_invoice"])
    sent()
    work()
    assert receiver.got == []
    assert WebhookAttempt.objects.get().error_class


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("change", "value"),
    [("WEBHOOK_ALLOW_HTTP", False), ("WEBHOOK_ALLOWED_PORTS", [443]), ("WEBHOOK_ALLOWED_NETWORKS", [])],
)
def test_the_settings_hold_at_each_try(
    receiver: Receiver, configured: dict[str, Any], change: str, value: Any
) -> None:
    WebhookEndpoint.objects.create(url=receiver.url(), events=["*.send_invoice"])
    configured[change] = value
    sent()
    work()
    assert receiver.got == []
    assert WebhookDelivery.objects.get().status == "pending"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "url",
    [
        "ftp://x.example/",
        "https://",
        "https://user:pw@x.example/",
        "javascript:alert(1)",
        "",
        "https://x\r\ny/",
    ],
)
def test_bad_addresses_do_no_harm(receiver: Receiver, url: str) -> None:
    WebhookEndpoint.objects.create(url=url, events=["*.send_invoice"])
    WebhookEndpoint.objects.create(url=receiver.url(), events=["*.send_invoice"])
    sent()
    work()
    assert len(receiver.got) == 1


@pytest.mark.django_db
def test_proxies_of_the_environment_are_not_asked(receiver: Receiver, monkeypatch: Any) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    WebhookEndpoint.objects.create(url=receiver.url(), events=["*.send_invoice"])
    sent()
    work()
    assert len(receiver.got) == 1
