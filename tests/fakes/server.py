"""A fake model's server: a real socket on 127.0.0.1, which keeps every request it got.

Must not know the format of any API.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from tests.fakes.turns import Answer, Failure, Thinking, Turn

#: Seconds of silence: longer than any test lets somebody wait for the end of it.
LONG = 240


@dataclass(frozen=True, kw_only=True)
class Received:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    raw: bytes
    body: dict[str, Any]


class FakeModel:
    """A server in threads of its own, for a ``with`` block. Answers by a script, or as ``think`` says.

    It is as strict as the real one where that matters: a request that the real API would refuse gets a 400, and stands
    in ``complaints``.
    """

    def __init__(self, *script: Answer, think: Thinking | None = None) -> None:
        self.script: deque[Answer] = deque(script)
        self.think = think
        self.requests: list[Received] = []
        self.complaints: list[str] = []
        self.closing = threading.Event()
        self.streaming = threading.Event()
        """Set when the first frame of an answer was sent."""
        self.go_on = threading.Event()
        """Set by a test, to let an answer go on that is held."""
        self._lock = threading.Lock()
        self._calls = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """The requests' bodies, in the order they came."""
        return [received.body for received in self.requests]

    @property
    def seen(self) -> str:
        """Everything that any request held, as one text."""
        return "\n".join(r.raw.decode() + json.dumps(r.body, ensure_ascii=False) for r in self.requests)

    def __enter__(self) -> Self:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 30

            def do_POST(self) -> None:
                self.close_connection = True
                outer.serve(self)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def new_call_id(self) -> str:
        """A call's id; never the same twice."""
        with self._lock:
            self._calls += 1
            return f"{self.call_prefix}{self._calls:04}"

    # What an API fills in

    call_prefix = "call_"

    def faults(self, received: Received) -> Iterator[str]:
        """What the real API would not accept."""
        raise NotImplementedError

    def frames(self, turn: Turn, body: dict[str, Any], size: int) -> Iterable[bytes]:
        """A turn as server-sent events."""
        raise NotImplementedError

    def whole(self, turn: Turn, body: dict[str, Any], size: int) -> dict[str, Any]:
        """A turn as one document."""
        raise NotImplementedError

    def error(self, kind: str, message: str) -> dict[str, Any]:
        """An error as one document."""
        raise NotImplementedError

    def error_frame(self, kind: str) -> bytes:
        """An error in the middle of a stream."""
        raise NotImplementedError

    # Serving

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        """Take a request, and answer it."""
        raw = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        body = json.loads(raw)
        headers = {name.lower(): value for name, value in handler.headers.items()}
        received = Received(path=handler.path, headers=headers, raw=raw, body=body)
        faults = list(self.faults(received))
        with self._lock:
            self.requests.append(received)
            self.complaints += faults
            answer = self._next(body) if not faults else None
        if answer is None:
            answer = Failure(status=400, kind="invalid_request_error", message="; ".join(faults))
        try:
            if isinstance(answer, Failure):
                self._send(
                    handler, answer.status, self.error(answer.kind, answer.message), answer.retry_after
                )
            elif body.get("stream"):
                self._stream(handler, answer, self.frames(answer, body, len(raw)))
            else:
                self._send(handler, 200, self.whole(answer, body, len(raw)))
        except (BrokenPipeError, ConnectionResetError):
            pass  # who asked went away, as the tests make them do

    def _next(self, body: dict[str, Any]) -> Answer:
        if self.script:
            return self.script.popleft()
        if self.think is not None:
            return self.think(body)
        self.complaints.append("asked once more than the script has turns")
        return Failure(status=400, kind="invalid_request_error", message="The script has ended.")

    def _send(
        self,
        handler: BaseHTTPRequestHandler,
        status: int,
        document: dict[str, Any],
        retry_after: str | None = None,
    ) -> None:
        content = json.dumps(document).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(content)))
        handler.send_header("Connection", "close")
        if retry_after is not None:
            handler.send_header("Retry-After", retry_after)
        handler.end_headers()
        handler.wfile.write(content)

    def _stream(self, handler: BaseHTTPRequestHandler, turn: Turn, frames: Iterable[bytes]) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.send_header("Connection", "close")
        handler.end_headers()

        def chunk(content: bytes) -> None:
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))
            handler.wfile.flush()

        for number, frame in enumerate(frames):
            if turn.cut_after == number:
                return
            if turn.ends_after == number:
                break
            if turn.stalls_after == number:
                self.closing.wait(LONG)
                return
            if turn.held_after == number:
                self.go_on.wait(LONG)
            if turn.error_after is not None and turn.error_after[0] == number:
                chunk(self.error_frame(turn.error_after[1]))
                break
            if number and turn.pause and self.closing.wait(turn.pause):
                return
            chunk(frame)
            self.streaming.set()
        handler.wfile.write(b"0\r\n\r\n")


def pieces(text: str, size: int = 24) -> list[str]:
    """A text in the pieces in which a model writes it."""
    return [text[at : at + size] for at in range(0, len(text), size)] or [""]


def quarter(value: Any) -> int:
    """Tokens of something, roughly."""
    return len(json.dumps(value, ensure_ascii=False).encode()) // 4 + 1
