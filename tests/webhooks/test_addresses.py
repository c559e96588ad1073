"""Nothing is sent to where a stranger should not reach, however it is written and whatever a resolver says."""

from __future__ import annotations

import base64
import socket
from ipaddress import ip_address
from typing import Any

import httpx2
import pytest

from fsm_lifecycle.webhooks import transport
from fsm_lifecycle.webhooks.addresses import UrlRefused, is_public, place_of
from fsm_lifecycle.webhooks.failures import AddressRefused, AttemptFailed
from tests.webhooks.conftest import Settings
from tests.webhooks.hostile import ANSWERS, PUBLIC, URLS
from tests.webhooks.receiver import Receiver

pytestmark = pytest.mark.pure


class Network:
    """Every connection ends at the receiver, whatever address it was for, so that none leaves this machine."""

    def __init__(self, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
        self.dialled: list[str] = []
        self.asked: list[str] = []
        self.answers: list[list[str]] = []
        connect = socket.create_connection

        def dial(address: Any, *args: Any, **kwargs: Any) -> socket.socket:
            self.dialled.append(address[0])
            return connect(("127.0.0.1", receiver.port))

        self._resolve = socket.getaddrinfo
        monkeypatch.setattr(socket, "create_connection", dial)
        monkeypatch.setattr(socket, "getaddrinfo", self.resolve)

    def resolve(self, host: Any, port: Any, *args: Any, **kwargs: Any) -> list[Any]:
        if host == "127.0.0.1" or not self.answers:
            return self._resolve(host, port, *args, **kwargs)
        self.asked.append(host)
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [
            (socket.AF_INET6 if ":" in one else socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port))
            for one in found
        ]


@pytest.fixture
def network(receiver: Receiver, lifecycle_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Network:
    lifecycle_settings["WEBHOOK_ALLOWED_PORTS"] = [receiver.port]
    lifecycle_settings["WEBHOOK_ALLOWED_NETWORKS"] = []
    return Network(receiver, monkeypatch)


def test_there_are_enough_of_them() -> None:
    assert len(URLS) + len(ANSWERS) >= 60
    assert len(set(URLS)) == len(URLS)


@pytest.mark.parametrize("url", URLS)
def test_a_hostile_url_is_refused_before_anything_is_dialled(
    url: str, network: Network, receiver: Receiver
) -> None:
    with pytest.raises(AddressRefused):
        transport.post(url.format(port=receiver.port), {}, b"{}")
    assert (network.dialled, receiver.got) == ([], [])


@pytest.mark.parametrize("answers", ANSWERS, ids=" ".join)
def test_an_answer_of_a_resolver_that_is_not_public_is_refused(
    answers: list[str], network: Network, receiver: Receiver
) -> None:
    network.answers = [answers]
    with pytest.raises(AddressRefused):
        transport.post(f"http://hooks.example.com:{receiver.port}/", {}, b"{}")
    assert (network.dialled, receiver.got) == ([], [])


@pytest.mark.parametrize(
    "url", [*URLS, *(f"http://hooks.example.com:{{port}}/{n}" for n in range(len(ANSWERS)))]
)
def test_a_plain_client_goes_there(url: str, network: Network, receiver: Receiver) -> None:
    """The table bites: without our care, each of them is reached."""
    with httpx2.Client(trust_env=False) as client:
        assert client.post(url.format(port=receiver.port), content=b"{}").status_code == 204
    assert len(receiver.got) == 1


def test_a_resolver_that_changes_its_mind_is_asked_once(network: Network, receiver: Receiver) -> None:
    network.answers = [["93.184.216.34"], ["127.0.0.1"]]
    transport.post(f"http://hooks.example.com:{receiver.port}/", {"Connection": "close"}, b"{}")
    assert network.dialled == ["93.184.216.34"]
    assert network.asked == ["hooks.example.com"]
    with pytest.raises(AddressRefused):
        transport.post(f"http://hooks.example.com:{receiver.port}/", {}, b"{}")
    assert network.dialled == ["93.184.216.34"]


def test_the_connection_keeps_the_name(network: Network, receiver: Receiver) -> None:
    network.answers = [["93.184.216.34"]]
    transport.post(f"http://hooks.example.com:{receiver.port}/a?b=c", {}, b"{}")
    (got,) = receiver.got
    assert got.headers["host"] == f"hooks.example.com:{receiver.port}"
    assert got.path == "/a?b=c"


@pytest.mark.parametrize("text", PUBLIC)
def test_a_public_address_is_public(text: str) -> None:
    assert is_public(ip_address(text))


def test_a_redirect_is_not_followed(network: Network, receiver: Receiver) -> None:
    network.answers = [["93.184.216.34"]]
    receiver.answer = lambda handler, got: (302, {"Location": "http://169.254.169.254/"}, b"")
    assert transport.post(f"http://hooks.example.com:{receiver.port}/", {}, b"{}").status == 302
    assert len(receiver.got) == 1


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "//example.com/",
        "example.com",
        "https://",
        "https:///path",
        "https://example.com\\@127.0.0.1/",
        "https://example.com /",
        "https://example.com/\r\nX-Evil: 1",
        "https://ex\u00e4mple.com/",
        "https://\u2460\u2461\u2466.0.0.1/",
        "https://example.com/\u00e4",
        "https://example.com:99999/",
        "https://example.com:0/",
        "https://example.com:22/",
        "https://example.com#fragment",
        "https://-example.com/",
        "https://exa..mple.com/",
        "https://%31%32%37.0.0.1/",
        "https://[::1%25lo]/",
        "https://[example.com]/",
        "https://1.2.3/",
        "https://1.2.3.4.5/",
        "https://example.com/" + "x" * 2000,
        None,
    ],
)
def test_what_is_no_plain_url_is_refused(url: Any, lifecycle_settings: Settings) -> None:
    with pytest.raises(UrlRefused):
        place_of(url)


def test_without_the_setting_there_is_no_http(lifecycle_settings: Settings) -> None:
    lifecycle_settings["WEBHOOK_ALLOW_HTTP"] = False
    lifecycle_settings["WEBHOOK_ALLOWED_PORTS"] = [80, 443]
    with pytest.raises(UrlRefused, match="https"):
        place_of("http://example.com/")
    place = place_of("https://Example.com:443?x=1")
    assert (place.host, place.authority, place.target) == ("example.com", "example.com", "/?x=1")


def test_the_environments_proxy_is_not_used(
    network: Network, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    network.answers = [["93.184.216.34"]]
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert transport.post(f"http://hooks.example.com:{receiver.port}/", {}, b"{}").status == 204
    assert network.dialled == ["93.184.216.34"]


def test_a_proxy_that_the_settings_name_is_used(
    receiver: Receiver, network: Network, lifecycle_settings: Settings
) -> None:
    lifecycle_settings["WEBHOOK_PROXY"] = f"http://127.0.0.1:{receiver.port}"
    url = f"http://hooks.example.com:{receiver.port}/x"
    assert transport.post(url, {}, b"{}").status == 204
    assert receiver.got[0].path == url  # the whole URL, as a proxy is asked
    assert network.asked == []
    with pytest.raises(AttemptFailed):  # what is an address already is judged all the same
        transport.post(f"http://10.0.0.1:{receiver.port}/", {}, b"{}")


def test_a_proxy_may_want_a_password(
    receiver: Receiver, network: Network, lifecycle_settings: Settings
) -> None:
    lifecycle_settings["WEBHOOK_PROXY"] = f"http://olga:p%40ss@127.0.0.1:{receiver.port}"
    assert transport.post(f"http://hooks.example.com:{receiver.port}/x", {}, b"{}").status == 204
    given = receiver.got[0].headers["proxy-authorization"]
    assert given == "Basic " + base64.b64encode(b"olga:p@ss").decode()
