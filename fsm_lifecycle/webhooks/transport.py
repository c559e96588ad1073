"""One HTTP POST to a URL that somebody else wrote: no redirects, no environment's proxies, one hard deadline.

Certificates are judged by the system's authorities, or by those in the file that the environment's ``SSL_CERT_FILE``
names (then by those alone). Connections are kept for a while: they lead to addresses that were checked. Must not know
what is sent, nor what becomes of the answer.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import httpcore2

from fsm_lifecycle import conf
from fsm_lifecycle.webhooks import connecting
from fsm_lifecycle.webhooks.addresses import Place, UrlRefused, place_of
from fsm_lifecycle.webhooks.failures import (
    AddressRefused,
    AttemptFailed,
    ConnectFailed,
    ConnectionLost,
    DeadlineExceeded,
    ProtocolBroken,
)

#: So much of a response's body is read.
MOST_READ: Final = 65536
#: Seconds that a connection waits for the next message.
_KEPT: Final = 15.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver said."""

    status: int
    retry_after: str | None
    head: bytes
    """The body, up to 64 kB."""


def post(url: str, headers: Mapping[str, str], body: bytes) -> Answer:
    """Send a body and return the answer, whatever its status. Raises ``AttemptFailed``.

    It is over after ``WEBHOOK_TIMEOUT``: name resolution, connecting, sending and a response that drips included.
    """
    try:
        place = place_of(url)
    except UrlRefused as error:
        raise AddressRefused(str(error)) from None
    connect, whole = conf.webhook_timeout()
    start = time.monotonic()
    clock = connecting.Clock(start + min(connect, whole), start + whole)
    token = connecting.clock.set(clock)
    try:
        try:
            return _exchange(place, headers, body)
        except (ConnectionLost, ProtocolBroken):
            # A kept connection may have been closed by the receiver at this very moment. The message has an id, so
            # that one that arrived all the same is known for what it is.
            if clock.dialled:
                raise
            clock.connected_by = min(time.monotonic() + connect, clock.over)
            return _exchange(place, {**headers, "Connection": "close"}, body)
    finally:
        connecting.clock.reset(token)


def _exchange(place: Place, headers: Mapping[str, str], body: bytes) -> Answer:
    sent = [("Host", place.authority), ("Content-Length", str(len(body))), *headers.items()]
    request = httpcore2.Request(
        b"POST",
        httpcore2.URL(
            scheme=place.scheme.encode(),
            host=place.host.encode(),
            port=place.port,
            target=place.target.encode(),
        ),
        headers=[(name.encode("ascii"), value.encode("ascii")) for name, value in sent],
        content=body,
    )
    try:
        response = _pool().handle_request(request)
        try:
            return Answer(response.status, _header(response, b"retry-after"), _head(response))
        finally:
            response.close()
    except AttemptFailed:
        raise
    except httpcore2.TimeoutException:
        raise DeadlineExceeded("The whole attempt took too long.") from None
    except (httpcore2.ConnectError, httpcore2.ProxyError) as error:
        raise ConnectFailed(str(error)) from None
    except httpcore2.NetworkError as error:
        raise ConnectionLost(str(error) or type(error).__name__) from None
    except httpcore2.RemoteProtocolError as error:
        # "Server disconnected" is one of these.
        raise (ConnectionLost if "disconnect" in str(error) else ProtocolBroken)(str(error)) from None
    except httpcore2.ProtocolError as error:
        raise ProtocolBroken(str(error)) from None


def _head(response: httpcore2.Response) -> bytes:
    parts: list[bytes] = []
    size = 0
    for part in response.iter_stream():
        parts.append(part[: MOST_READ - size])
        size += len(parts[-1])
        if size >= MOST_READ:
            break
    return b"".join(parts)


def _header(response: httpcore2.Response, name: bytes) -> str | None:
    for key, value in response.headers:
        if key.lower() == name:
            return value.decode("latin-1")
    return None


# --- kept connections ---------------------------------------------------------------------------------------

_changing = threading.Lock()
_pools: dict[tuple[Any, ...], httpcore2.ConnectionPool] = {}


def _pool() -> httpcore2.ConnectionPool:
    """The pool for these settings; one that changes them gets another, and so does a forked process."""
    proxy = conf.webhook_proxy()
    networks = tuple(conf.webhook_allowed_networks())
    authorities = (os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))
    key = (os.getpid(), proxy, networks, authorities)
    with _changing:
        if key not in _pools:
            _close_all()
            _pools[key] = httpcore2.ConnectionPool(
                ssl_context=httpcore2.default_ssl_context(),
                proxy=_proxy(proxy) if proxy else None,
                max_connections=None,
                max_keepalive_connections=100,
                keepalive_expiry=_KEPT,
                network_backend=connecting.ProxyBackend() if proxy else connecting.GuardedBackend(),
            )
        return _pools[key]


def _proxy(url: str) -> httpcore2.Proxy:
    """The egress proxy, with the user and password that its URL may name."""
    parts = urlsplit(url)
    plain = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    user = unquote(parts.username or "")
    return httpcore2.Proxy(plain, auth=(user, unquote(parts.password or "")) if user else None)


def close() -> None:
    """Close the connections that are kept. Not done at the end of a process: what is under way would seem to fail."""
    with _changing:
        _close_all()


def _close_all() -> None:
    for pool in _pools.values():
        pool.close()
    _pools.clear()


def _after_fork() -> None:
    # Another thread of the parent may have held it.
    global _changing
    _changing = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
