"""Owns the servers and the SDK's clients of the tests: real processes, pipes and sockets.

Must not know what is said.
"""

from __future__ import annotations

import asyncio
import http.client
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client

T = TypeVar("T")

ROOT = Path(__file__).resolve().parent.parent.parent
#: Seconds after which an answer is given up: a process that starts beside other tests takes its time.
PATIENCE = 120


@contextmanager
def serving(environment: Mapping[str, str], kind: str) -> Iterator[str]:
    """A server of a kind, ``asgi`` or ``wsgi``, until the block ends; its ``/mcp``."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        port, number = listening.getsockname()[1], listening.fileno()
        command = [sys.executable, "-m", "tests.mcp.served", str(number)]
        if kind == "asgi":
            command = [sys.executable, "-m", "uvicorn", "tests.mcp.served:application", "--lifespan", "off"]
            command += ["--fd", str(number), "--log-level", "warning"]
        process = subprocess.Popen(
            command, env=dict(environment), pass_fds=[number], stderr=subprocess.PIPE, text=True, cwd=ROOT
        )
    try:
        _await(port, process)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.terminate()
        try:
            process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def _await(port: int, process: subprocess.Popen[str]) -> None:
    for _ in range(300):
        if process.poll() is not None:
            raise AssertionError(f"The server ended: {process.stderr.read() if process.stderr else ''}")
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            connection.request("GET", "/mcp")
            if connection.getresponse().status == 401:
                return
        except OSError:
            time.sleep(0.1)
        finally:
            connection.close()
    raise AssertionError("The server does not answer.")


@asynccontextmanager
async def over_http(url: str, token: str, era: str = "auto", **headers: str) -> AsyncIterator[Client]:
    """The SDK's client at a server. ``era``: ``legacy`` begins with a handshake, as before 2026-07-28."""
    sent = {"Authorization": f"Bearer {token}", **headers}
    async with (
        httpx2.AsyncClient(headers=sent, timeout=PATIENCE) as connection,
        Client(
            streamable_http_client(url, http_client=connection), mode=era, read_timeout_seconds=PATIENCE
        ) as client,
    ):
        yield client


@asynccontextmanager
async def over_stdio(
    environment: Mapping[str, str], *arguments: str, era: str = "auto"
) -> AsyncIterator[Client]:
    """The SDK's client with a process of its own, which it starts and ends."""
    parameters = StdioServerParameters(
        command=sys.executable, args=list(arguments), env=dict(environment), cwd=ROOT
    )
    nowhere: Any = subprocess.DEVNULL
    async with Client(
        stdio_client(parameters, errlog=nowhere), mode=era, read_timeout_seconds=PATIENCE
    ) as client:
        yield client


def talk(opened: Any, say: Callable[[Client], Awaitable[T]]) -> T:
    """Open a client, say something, and close it."""

    async def all_of_it() -> T:
        async with opened as client:
            return await say(client)

    return asyncio.run(all_of_it())
