"""A Messages API in forty lines, as somebody writes it who knows the wire and nothing of this package."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Block = dict[str, Any]
Script = list[list[Block]] | Callable[[dict[str, Any]], list[Block]]


def text(words: str) -> Block:
    return {"type": "text", "text": words}


def use(tool: str, given: dict[str, Any] | None = None, *, id: str = "") -> Block:
    return {"type": "tool_use", "name": tool, "input": given or {}, **({"id": id} if id else {})}


class FakeClaude(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, script: Script) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script = script
        self.bodies: list[dict[str, Any]] = []
        self.raw: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def answer(self, body: dict[str, Any]) -> list[Block]:
        if callable(self.script):
            return self.script(body)
        return self.script[min(len(self.bodies) - 1, len(self.script) - 1)]

    def results(self) -> list[Any]:
        """What the tools said, as the last request tells the model."""
        found = []
        for message in self.bodies[-1]["messages"]:
            for block in message["content"] if isinstance(message["content"], list) else []:
                if block["type"] == "tool_result":
                    said = block["content"]
                    said = said if isinstance(said, str) else "".join(b.get("text", "") for b in said)
                    found.append(json.loads(said))
        return found


class _Handler(BaseHTTPRequestHandler):
    server: FakeClaude

    def log_message(self, *args: Any) -> None:
        pass

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["Content-Length"])).decode()
        body = json.loads(raw)
        self.server.raw.append(raw)
        self.server.bodies.append(body)
        blocks = self.server.answer(body)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for name, data in _events(blocks, len(self.server.bodies)):
            self.wfile.write(f"event: {name}\ndata: {json.dumps({'type': name, **data})}\n\n".encode())


def _events(blocks: list[Block], number: int) -> Iterator[tuple[str, dict[str, Any]]]:
    message = {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "content": [],
    }
    usage = {"input_tokens": 10, "output_tokens": 1}
    yield (
        "message_start",
        {"message": {**message, "stop_reason": None, "stop_sequence": None, "usage": usage}},
    )
    for index, block in enumerate(blocks):
        if block["type"] == "text":
            start: Block = {"type": "text", "text": ""}
            delta = {"type": "text_delta", "text": block["text"]}
        else:
            start = {"id": f"toolu_{number}_{index}", **block, "input": {}}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
        yield "content_block_start", {"index": index, "content_block": start}
        yield "content_block_delta", {"index": index, "delta": delta}
        yield "content_block_stop", {"index": index}
    stop = "tool_use" if any(b["type"] == "tool_use" for b in blocks) else "end_turn"
    yield (
        "message_delta",
        {"delta": {"stop_reason": stop, "stop_sequence": None}, "usage": {"output_tokens": 10}},
    )
    yield "message_stop", {}


@contextmanager
def claude(script: Script, monkeypatch: Any, key: str = "ANTHROPIC_API_KEY") -> Iterator[FakeClaude]:
    """A model that says what the script has, reached through the environment."""
    server = FakeClaude(script)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    monkeypatch.delenv("ANTHROPIC_AUTH_TOKEN", raising=False)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
    monkeypatch.setenv(key, "test-key")
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
