"""A fake of an OpenAI-compatible server, as ollama and vLLM offer one: chat completions with tool calls.

Must not know agents.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.fakes.server import FakeModel, Received, pieces, quarter
from tests.fakes.turns import Turn

_FINISH = {"end_turn": "stop", "tool_use": "tool_calls", "max_tokens": "length", "refusal": "content_filter"}


class FakeOpenAI(FakeModel):
    """``POST /v1/chat/completions``, streamed or whole."""

    @property
    def base_url(self) -> str:
        """What stands behind the ``@`` of a provider's name."""
        return f"{self.url}/v1"

    def faults(self, received: Received) -> Iterator[str]:
        body = received.body
        if received.path != "/v1/chat/completions":
            yield f"no such path: {received.path}"
        if not received.headers.get("authorization", "").startswith("Bearer "):
            yield "no key"
        messages = body.get("messages") or [{}]
        if messages[-1].get("role") not in ("user", "tool"):
            yield f"messages: the last is the {messages[-1].get('role')}'s"
        wanted: list[str] = []
        for number, message in enumerate(messages):
            if message.get("role") == "tool":
                if message.get("tool_call_id") not in wanted:
                    yield f"messages.{number}: nobody called {message.get('tool_call_id')}"
                else:
                    wanted.remove(message["tool_call_id"])
                continue
            if wanted:
                yield f"messages.{number}: calls without a result: {wanted}"
            wanted = [call["id"] for call in message.get("tool_calls") or []]
            for call in message.get("tool_calls") or []:
                json.loads(call["function"]["arguments"])
        for tool in body.get("tools") or []:
            if tool.get("type") != "function" or tool["function"]["parameters"].get("type") != "object":
                yield f"tools: {tool}"

    def frames(self, turn: Turn, body: dict[str, Any], size: int) -> Iterator[bytes]:
        yield self._frame(body, {"role": "assistant", "content": ""})
        calls = 0
        for block in turn.blocks:
            if block["type"] == "text":
                for piece in pieces(block["text"]):
                    yield self._frame(body, {"content": piece})
                continue
            written = json.dumps(block["input"], ensure_ascii=False)
            written = written[: max(1, len(written) * 2 // 3)] if turn.truncated else written
            first = {"name": block["name"], "arguments": ""}
            call = {"index": calls, "id": block.get("id") or self.new_call_id(), "type": "function"}
            yield self._frame(body, {"tool_calls": [{**call, "function": first}]})
            for piece in pieces(written, 12):
                yield self._frame(body, {"tool_calls": [{"index": calls, "function": {"arguments": piece}}]})
            calls += 1
        yield self._frame(body, {}, finish=_FINISH[turn.stop_reason])
        if (body.get("stream_options") or {}).get("include_usage"):
            yield self._frame(body, None, usage=self._usage(turn, body, size))
        yield b"data: [DONE]\n\n"

    def _frame(
        self,
        body: dict[str, Any],
        delta: dict[str, Any] | None,
        *,
        finish: str | None = None,
        usage: dict[str, int] | None = None,
    ) -> bytes:
        choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
        document = {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": body["model"],
            "choices": choices,
            "usage": usage,
        }
        return f"data: {json.dumps(document, ensure_ascii=False)}\n\n".encode()

    def _usage(self, turn: Turn, body: dict[str, Any], size: int) -> dict[str, int]:
        said = turn.output_tokens if turn.output_tokens is not None else quarter(list(turn.blocks))
        limit = body.get("max_completion_tokens") or body.get("max_tokens") or said
        read = turn.input_tokens if turn.input_tokens is not None else size // 4
        said = min(said, limit)
        return {"prompt_tokens": read, "completion_tokens": said, "total_tokens": read + said}

    def whole(self, turn: Turn, body: dict[str, Any], size: int) -> dict[str, Any]:
        text = "".join(block["text"] for block in turn.blocks if block["type"] == "text")
        calls = [
            {
                "id": block.get("id") or self.new_call_id(),
                "type": "function",
                "function": {"name": block["name"], "arguments": json.dumps(block["input"])},
            }
            for block in turn.blocks
            if block["type"] == "tool_use"
        ]
        message = {"role": "assistant", "content": text or None, "tool_calls": calls or None}
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": body["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": _FINISH[turn.stop_reason]}],
            "usage": self._usage(turn, body, size),
        }

    def error(self, kind: str, message: str) -> dict[str, Any]:
        return {"error": {"type": kind, "message": message, "param": None, "code": None}}

    def error_frame(self, kind: str) -> bytes:
        return f"data: {json.dumps(self.error(kind, kind))}\n\n".encode()
