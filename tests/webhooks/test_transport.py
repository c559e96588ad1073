"""What receivers do to a sender: hang, drip, send too much, go away, show the wrong certificate."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fsm_lifecycle.webhooks import transport
from fsm_lifecycle.webhooks.failures import (
    AttemptFailed,
    ConnectFailed,
    ConnectionLost,
    DeadlineExceeded,
    NameNotResolved,
    ProtocolBroken,
    TlsFailed,
)
from tests.webhooks.authority import Authority
from tests.webhooks.conftest import Settings
from tests.webhooks.receiver import Answer, Got, Handler, Receiver, closed_port, says

pytestmark = pytest.mark.pure

#: Seconds that an attempt has where its deadline is tried, and that it may take beyond them on a busy machine.
WHOLE, GRACE = 3.0, 50.0
#: Seconds to connect where that is tried.
CONNECT = 0.4


@pytest.fixture(autouse=True)
def patient(reachable: Receiver, lifecycle_settings: Settings) -> None:
    """More time than a busy machine takes: whatever fails is what the test is about."""
    lifecycle_settings["WEBHOOK_TIMEOUT"] = (60, 60)


@pytest.fixture
def little_time(patient: None, lifecycle_settings: Settings) -> None:
    lifecycle_settings["WEBHOOK_TIMEOUT"] = (WHOLE, WHOLE)


@pytest.fixture
def little_time_to_connect(patient: None, lifecycle_settings: Settings) -> None:
    lifecycle_settings["WEBHOOK_TIMEOUT"] = (CONNECT, WHOLE)


def hangs(handler: Handler, got: Got) -> None:
    handler.is_over(100)


def hangs_after_its_head(handler: Handler, got: Got) -> None:
    handler.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")
    handler.is_over(100)


def drips_its_head(handler: Handler, got: Got) -> None:
    handler.raw(b"HTTP/1.1 200 OK\r\nX: ")
    while handler.raw(b"x") and not handler.is_over(0.05):
        pass


def drips_its_body(handler: Handler, got: Got) -> None:
    handler.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n")
    while handler.raw(b"x") and not handler.is_over(0.05):
        pass


def informs_for_ever(handler: Handler, got: Got) -> None:
    while handler.raw(b"HTTP/1.1 102 Processing\r\n\r\n") and not handler.is_over(0.05):
        pass


def closes(handler: Handler, got: Got) -> None:
    pass


def closes_half_way(handler: Handler, got: Got) -> None:
    handler.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")


def speaks_no_http(handler: Handler, got: Got) -> None:
    handler.raw(b"SSH-2.0-OpenSSH_9.9\r\n\r\n")


def sends_a_huge_head(handler: Handler, got: Got) -> None:
    handler.raw(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000 + b"\r\n\r\n")


ENDLESS: dict[str, Answer] = {
    "hangs": hangs,
    "hangs after its head": hangs_after_its_head,
    "drips its head": drips_its_head,
    "drips its body": drips_its_body,
    "informs for ever": informs_for_ever,
}


@pytest.mark.parametrize("answer", ENDLESS.values(), ids=ENDLESS)
def test_a_receiver_that_comes_to_no_end_is_a_failure_at_the_deadline(
    answer: Answer, receiver: Receiver, little_time: None
) -> None:
    receiver.answer = answer
    start = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        transport.post(receiver.url(), {}, b"{}")
    assert time.monotonic() - start < WHOLE + GRACE
    assert len(receiver.got) == 1


ILL: dict[str, tuple[Answer, type[AttemptFailed]]] = {
    "closes": (closes, ConnectionLost),
    "closes half way": (closes_half_way, ProtocolBroken),
    "speaks no HTTP": (speaks_no_http, ProtocolBroken),
    "sends a huge head": (sends_a_huge_head, ProtocolBroken),
}


@pytest.mark.parametrize(("answer", "failure"), ILL.values(), ids=ILL)
def test_an_ill_receiver_is_a_failure(
    answer: Answer, failure: type[AttemptFailed], receiver: Receiver
) -> None:
    receiver.answer = answer
    with pytest.raises(failure):
        transport.post(receiver.url(), {}, b"{}")
    assert len(receiver.got) == 1


def test_of_a_huge_body_only_the_beginning_is_read(receiver: Receiver) -> None:
    receiver.answer = says(200, b"x" * 5_000_000)
    answer = transport.post(receiver.url(), {}, b"{}")
    assert (answer.status, answer.head) == (200, b"x" * 65536)


def test_an_endless_body_is_left_after_its_beginning(receiver: Receiver) -> None:
    def endless(handler: Handler, got: Got) -> None:
        handler.raw(b"HTTP/1.1 200 OK\r\n\r\n")
        while handler.raw(b"x" * 8192) and not handler.is_over(0):
            pass

    receiver.answer = endless
    assert transport.post(receiver.url(), {}, b"{}").head == b"x" * 65536


def test_nobody_at_the_port(lifecycle_settings: Settings) -> None:
    with closed_port() as port:
        lifecycle_settings["WEBHOOK_ALLOWED_PORTS"] = [port]
        with pytest.raises(ConnectFailed):
            transport.post(f"http://127.0.0.1:{port}/", {}, b"{}")


def test_a_port_that_accepts_nothing(lifecycle_settings: Settings, little_time_to_connect: None) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        port = deaf.getsockname()[1]
        lifecycle_settings["WEBHOOK_ALLOWED_PORTS"] = [port]
        full = [socket.socket() for _ in range(4)]
        for one in full:  # fill its queue, so that no handshake is answered
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        start = time.monotonic()
        with pytest.raises((ConnectFailed, DeadlineExceeded)):
            transport.post(f"http://127.0.0.1:{port}/", {}, b"{}")
        assert time.monotonic() - start < CONNECT + GRACE
        for one in full:
            one.close()


def test_a_resolver_that_hangs(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, little_time_to_connect: None
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: receiver.over.wait(100))
    start = time.monotonic()
    with pytest.raises(NameNotResolved):
        transport.post(receiver.url(host="hooks.example.com"), {}, b"{}")
    assert time.monotonic() - start < CONNECT + GRACE


def test_a_name_that_does_not_exist(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*args: Any, **kwargs: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(NameNotResolved):
        transport.post(receiver.url(host="hooks.example.com"), {}, b"{}")


# --- kept connections ---------------------------------------------------------------------------------------


def test_a_connection_is_kept(receiver: Receiver) -> None:
    for _ in range(3):
        transport.post(receiver.url(), {}, b"{}")
    assert len({got.peer for got in receiver.got}) == 1


def test_a_kept_connection_that_the_receiver_drops_is_no_failure(receiver: Receiver) -> None:
    transport.post(receiver.url(), {}, b"{}")
    receiver.answer = lambda handler, got: None if len(receiver.got) == 2 else (204, {}, b"")
    assert transport.post(receiver.url(), {}, b"{}").status == 204
    assert len(receiver.got) == 3
    assert receiver.got[2].peer != receiver.got[1].peer


# --- TLS ----------------------------------------------------------------------------------------------------


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def encrypted(
    authority: Authority, lifecycle_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Receiver]:
    """A receiver with TLS that says it is ``hooks.example.com``; every name is resolved to it."""
    made = Receiver(authority.context("hooks.example.com"))
    lifecycle_settings["WEBHOOK_ALLOWED_PORTS"] = [made.port]
    lifecycle_settings["WEBHOOK_ALLOW_HTTP"] = False
    local = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", made.port))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: local)
    yield made
    transport.close()
    made.close()


def test_a_private_authority_is_believed_where_the_environment_names_it(
    encrypted: Receiver, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(TlsFailed):
        transport.post(encrypted.url(host="hooks.example.com"), {}, b"{}")
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    assert transport.post(encrypted.url(host="hooks.example.com"), {}, b"{}").status == 204


def test_a_certificate_for_another_name_is_refused(
    encrypted: Receiver, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    with pytest.raises(TlsFailed):
        transport.post(encrypted.url(host="other.example.com"), {}, b"{}")
    assert encrypted.got == []


def test_a_handshake_that_drips_ends_with_the_time_to_connect(
    lifecycle_settings: Settings, little_time_to_connect: None
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        lifecycle_settings["WEBHOOK_ALLOWED_PORTS"] = [port]
        start = time.monotonic()
        with pytest.raises(ConnectFailed):
            transport.post(f"https://127.0.0.1:{port}/", {}, b"{}")
        assert time.monotonic() - start < CONNECT + GRACE
