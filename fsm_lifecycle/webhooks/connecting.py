"""Connections that reach only addresses that were checked, and whose every wait ends at one deadline.

A name is resolved once; when any of its addresses is not allowed the attempt ends; the connection goes to an address
that was checked, so a resolver that answers differently the next time changes nothing. TLS and ``Host`` keep the
name. Must not know what is sent.
"""

from __future__ import annotations

import os
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final

import httpcore2

from fsm_lifecycle.webhooks.addresses import Address, is_allowed
from fsm_lifecycle.webhooks.failures import (
    AddressRefused,
    ConnectFailed,
    DeadlineExceeded,
    NameNotResolved,
    TlsFailed,
)

#: So many names may be waited for at a time; a resolver that hangs holds its thread for as long as it likes.
_MOST_LOOKUPS: Final = 64
_lookups = threading.BoundedSemaphore(_MOST_LOOKUPS)


@dataclass
class Clock:
    """The time that one attempt has: until when it must be connected, and when all is over (monotonic seconds)."""

    connected_by: float
    over: float
    dialled: bool = False
    """Whether a new connection was made."""

    def left(self, *, connecting: bool = False) -> float:
        """Seconds that are left. Raises ``DeadlineExceeded`` or, while connecting, ``ConnectFailed``."""
        now = time.monotonic()
        if now >= self.over:
            raise DeadlineExceeded("The whole attempt took too long.")
        if connecting and now >= self.connected_by:
            raise ConnectFailed("Connecting took too long.")
        return (min(self.connected_by, self.over) if connecting else self.over) - now


#: The clock of the attempt that this thread is at: connections outlive attempts.
clock: ContextVar[Clock] = ContextVar("fsm_lifecycle_webhook_clock")


class Stream(httpcore2.NetworkStream):
    """A connection whose every wait ends with the attempt that it serves."""

    def __init__(self, inner: httpcore2.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """As the inner one's, until the deadline."""
        return self._inner.read(max_bytes, clock.get().left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """As the inner one's, until the deadline; a piece at a time, since each may take its own time."""
        view = memoryview(buffer)
        for start in range(0, len(view), 16384):
            self._inner.write(bytes(view[start : start + 16384]), clock.get().left())

    def close(self) -> None:
        """Close it."""
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        """As the inner one's, while there is time to connect."""
        try:
            left = clock.get().left(connecting=True)
            return Stream(self._inner.start_tls(ssl_context, server_hostname, left))
        except httpcore2.ConnectTimeout:
            raise ConnectFailed("The encryption was not agreed on in time.") from None
        except httpcore2.ConnectError as error:
            raise TlsFailed(str(error)) from None

    def get_extra_info(self, info: str) -> Any:
        """As the inner one's."""
        return self._inner.get_extra_info(info)


class GuardedBackend(httpcore2.NetworkBackend):
    """Connects to checked addresses alone."""

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        """A connection to one of the host's addresses, all of which are allowed."""
        return _dial(checked(host, port), port)


class ProxyBackend(httpcore2.NetworkBackend):
    """Connects to the proxy that the settings name, wherever it is."""

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        """A connection to the proxy."""
        return _dial(resolve(host, port), port)


def checked(host: str, port: int) -> list[Address]:
    """The addresses of a host. Raises ``AddressRefused`` when any of them is not allowed."""
    found = resolve(host, port)
    for address in found:
        if not is_allowed(address):
            raise AddressRefused(f"{host} resolves to {address}, which is not public.")
    return found


def resolve(host: str, port: int) -> list[Address]:
    """The addresses of a host, in the resolver's order. Raises ``NameNotResolved``."""
    try:
        return [ip_address(host)]
    except ValueError:
        pass
    answer = _within(clock.get().left(connecting=True), lambda: _ask(host, port))
    if isinstance(answer, Exception):
        raise NameNotResolved(f"{host} has no address.")
    if not answer:
        raise NameNotResolved(f"Nobody said in time which address {host} has.")
    found: list[Address] = []
    for *_, where in answer:
        try:
            address = ip_address(where[0])
        except ValueError:  # nothing that could be judged
            raise AddressRefused(f"{host} resolves to {where[0]!r}.") from None
        if address not in found:
            found.append(address)
    return found


def _ask(host: str, port: int) -> list[Any]:
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)


def _within(seconds: float, ask: Callable[[], list[Any]]) -> list[Any] | Exception:
    """What a function returns or raises; empty when it takes longer. Its thread is left behind then."""
    answers: queue.SimpleQueue[list[Any] | Exception] = queue.SimpleQueue()

    def run() -> None:
        try:
            answers.put(ask())
        except Exception as error:
            answers.put(error)
        finally:
            _lookups.release()

    started = time.monotonic()
    if not _lookups.acquire(timeout=seconds):
        return []
    threading.Thread(target=run, name="fsm_lifecycle-resolver", daemon=True).start()
    try:
        return answers.get(timeout=max(0.001, seconds - (time.monotonic() - started)))
    except queue.Empty:
        return []


def _after_fork() -> None:
    # Those who hold it are threads of the parent.
    global _lookups
    _lookups = threading.BoundedSemaphore(_MOST_LOOKUPS)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _dial(addresses: list[Address], port: int) -> httpcore2.NetworkStream:
    time_ = clock.get()
    time_.dialled = True
    problem = "There is no address."
    for place, address in enumerate(addresses):
        # What one address may take leaves time for the others.
        share = time_.left(connecting=True) / (len(addresses) - place)
        try:
            return Stream(httpcore2.SyncBackend().connect_tcp(str(address), port, share, None, None))
        except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
            problem = str(error) or type(error).__name__
    raise ConnectFailed(problem)
