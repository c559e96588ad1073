"""Owns a server of the API for tests that need one: uvicorn, in a process of its own, on a port of its own."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.api.conftest import basic

PASSWORD = "pass"


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Server:
    """Where it listens."""

    port: int

    def ask(self, user: str, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """One request in somebody's name, on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            sent = {"Authorization": basic(user, PASSWORD), **headers}
            text = None if body is None else json.dumps(body)
            if text is not None:
                sent["Content-Type"] = "application/json"
            if text is not None and "Transfer-Encoding" in sent:
                pieces = [text[:5].encode(), text[5:].encode()]
                connection.request(method, path, pieces, sent, encode_chunked=True)
            else:
                connection.request(method, path, text, sent)
            response = connection.getresponse()
            return Answer(
                response.status,
                {name.lower(): value for name, value in response.getheaders()},
                response.read(),
            )
        finally:
            connection.close()


@contextmanager
def serving(environment: Mapping[str, str], **times: float) -> Iterator[Server]:
    """A server that works on the test's database until the block ends."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        port = listening.getsockname()[1]
        command = [sys.executable, "-m", "uvicorn", "tests.api.served:application", "--lifespan", "off"]
        command += ["--fd", str(listening.fileno()), "--log-level", "warning"]
        extra = {f"STREAM_{name.upper()}": str(seconds) for name, seconds in times.items()}
        process = subprocess.Popen(
            command,
            env={**environment, **extra},
            pass_fds=[listening.fileno()],
            stderr=subprocess.PIPE,
            text=True,
        )
    try:
        _await(port, process)
        yield Server(port)
    finally:
        process.terminate()
        try:
            process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def _await(port: int, process: subprocess.Popen[str]) -> None:
    for _ in range(200):
        if process.poll() is not None:
            raise AssertionError(f"The server ended: {process.stderr.read() if process.stderr else ''}")
        try:
            if Server(port).ask("nobody", "GET", "/api/lifecycles/").status == 401:
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise AssertionError("The server does not answer.")
