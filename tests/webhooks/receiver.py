"""A receiver on 127.0.0.1 that keeps what it gets and answers as it is told."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Got:
    """One request as it arrived."""

    path: str
    headers: dict[str, str]
    body: bytes
    peer: tuple[str, int]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def message_id(self) -> str:
        return self.headers["webhook-id"]


#: What is done with a request: the status and headers to answer with, or ``None`` when it wrote by itself.
Answer = Callable[["Handler", Got], "tuple[int, dict[str, str], bytes] | None"]


def says(status: int, body: bytes = b"", **headers: str) -> Answer:
    """Always the same answer."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler, got: (status, named, body)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        got = Got(self.path, headers, body, self.client_address)
        with self.server.lock:
            self.server.got.append(got)
            answer = self.server.answer
        found = answer(self, got)
        if found is None:
            self.close_connection = True
            return
        status, named, content = found
        self.send_response(status)
        for name, value in named.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None: ...

    def raw(self, content: bytes) -> bool:
        """Write bytes as they are; ``False`` once nobody reads them any more."""
        try:
            self.wfile.write(content)
            self.wfile.flush()
        except OSError:
            return False
        return True

    def is_over(self, seconds: float) -> bool:
        """Wait; whether the receiver is being closed."""
        return self.server.over.wait(seconds)


class Receiver(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.context = context
        self.got: list[Got] = []
        self.answer: Answer = says(204)
        self.lock = threading.Lock()
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def finish_request(self, request: Any, client_address: Any) -> None:
        if self.context is None:
            super().finish_request(request, client_address)
            return
        # In the connection's own thread: a client that dawdles holds up no other.
        with self.context.wrap_socket(request, server_side=True) as wrapped:
            super().finish_request(wrapped, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are expected."""

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def url(self, path: str = "/hook", host: str = "127.0.0.1") -> str:
        scheme = "http" if self.context is None else "https"
        return f"{scheme}://{host}:{self.port}{path}"

    def close(self) -> None:
        self.over.set()
        self.shutdown()
        self.server_close()
        self.thread.join(5)


@contextmanager
def closed_port() -> Iterator[int]:
    """A port where nobody listens, kept so that nobody begins to."""
    with socket.socket() as kept:
        kept.bind(("127.0.0.1", 0))
        yield int(kept.getsockname()[1])
