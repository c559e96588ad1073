"""A fake of Anthropic's Messages API, as far as the SDK and an agent's loop see of it.

Wire order and the meaning of usage follow the API's documentation of streaming messages. Must not know agents.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from tests.fakes.server import FakeModel, Received, pieces, quarter
from tests.fakes.turns import Turn

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_MOST_STRICT = 20
_KNOWN = {
    "max_tokens", "messages", "model", "stream", "system", "tool_choice", "tools", "metadata", "cache_control",
    "stop_sequences", "thinking", "output_config",
}  # fmt: skip


class FakeAnthropic(FakeModel):
    """``POST /v1/messages``, streamed or whole."""

    call_prefix = "toolu_"

    def environment(self) -> dict[str, str]:
        """What points the SDK here."""
        return {"ANTHROPIC_BASE_URL": self.url, "ANTHROPIC_API_KEY": "sk-ant-a-key-of-the-tests"}

    def faults(self, received: Received) -> Iterator[str]:
        body = received.body
        if received.path != "/v1/messages":
            yield f"no such path: {received.path}"
        if not (received.headers.get("authorization") or received.headers.get("x-api-key")):
            yield "no key"
        if not received.headers.get("anthropic-version"):
            yield "no anthropic-version"
        if unknown := sorted(set(body) - _KNOWN):
            yield f"not permitted: {', '.join(unknown)}"
        if not str(body.get("model", "")).startswith("claude-"):
            yield f"model: {body.get('model')}"
        if not isinstance(body.get("max_tokens"), int) or body["max_tokens"] < 1:
            yield "max_tokens: must be at least 1"
        yield from self._faults_of_tools(body.get("tools", []))
        yield from faults_of_messages(body.get("messages", []))

    def _faults_of_tools(self, tools: list[dict[str, Any]]) -> Iterator[str]:
        names = [str(tool.get("name")) for tool in tools]
        if len(set(names)) != len(names):
            yield "tools: names must be unique"
        for tool, name in zip(tools, names, strict=True):
            if not _NAME.fullmatch(name):
                yield f"tools: {name} is no name"
            if tool.get("input_schema", {}).get("type") != "object":
                yield f"tools: {name} has no schema of an object"
            if extra := sorted(
                set(tool) - {"name", "description", "input_schema", "strict", "cache_control"}
            ):
                yield f"tools: {name} has {', '.join(extra)}"
        if sum(bool(tool.get("strict")) for tool in tools) > _MOST_STRICT:
            yield "tools: too many strict tools"

    def frames(self, turn: Turn, body: dict[str, Any], size: int) -> Iterator[bytes]:
        message = self.whole(turn, body, size)
        usage, blocks = message["usage"], message["content"]
        start = {**message, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
        yield frame("message_start", message=start)
        yield frame("ping")
        for index, block in enumerate(blocks):
            last = index == len(blocks) - 1
            yield from self._block(index, block, truncated=turn.truncated and last)
        yield frame(
            "message_delta",
            delta={"stop_reason": turn.stop_reason, "stop_sequence": None},
            usage={"output_tokens": usage["output_tokens"]},
        )
        yield frame("message_stop")

    def _block(self, index: int, block: dict[str, Any], *, truncated: bool) -> Iterator[bytes]:
        empty: dict[str, Any]
        if block["type"] == "text":
            empty = {"type": "text", "text": ""}
            deltas = [{"type": "text_delta", "text": piece} for piece in pieces(block["text"])]
        elif block["type"] == "thinking":
            empty = {"type": "thinking", "thinking": "", "signature": ""}
            deltas = [
                {"type": "thinking_delta", "thinking": block["thinking"]},
                {"type": "signature_delta", "signature": block["signature"]},
            ]
        else:
            written = json.dumps(block["input"], ensure_ascii=False)
            written = written[: max(1, len(written) * 2 // 3)] if truncated else written
            empty = {**block, "input": {}}
            deltas = [
                {"type": "input_json_delta", "partial_json": piece} for piece in ["", *pieces(written, 12)]
            ]
        yield frame("content_block_start", index=index, content_block=empty)
        for delta in deltas:
            yield frame("content_block_delta", index=index, delta=delta)
        yield frame("content_block_stop", index=index)

    def whole(self, turn: Turn, body: dict[str, Any], size: int) -> dict[str, Any]:
        blocks = [
            {"id": self.new_call_id(), **block} if block["type"] == "tool_use" else dict(block)
            for block in turn.blocks
        ]
        written, read = turn.cached
        said = turn.output_tokens if turn.output_tokens is not None else quarter(blocks)
        return {
            "id": f"msg_{len(self.requests):04}",
            "type": "message",
            "role": "assistant",
            "model": body["model"],
            "content": blocks,
            "stop_reason": turn.stop_reason,
            "stop_sequence": None,
            "usage": {
                "input_tokens": turn.input_tokens if turn.input_tokens is not None else size // 4,
                "cache_creation_input_tokens": written,
                "cache_read_input_tokens": read,
                "output_tokens": min(said, body["max_tokens"]),
            },
        }

    def error(self, kind: str, message: str) -> dict[str, Any]:
        return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_0001"}

    def error_frame(self, kind: str) -> bytes:
        return frame("error", error={"type": kind, "message": kind})


def frame(name: str, **data: Any) -> bytes:
    """One server-sent event. The SDK drops those without a name."""
    return f"event: {name}\ndata: {json.dumps({'type': name, **data}, ensure_ascii=False)}\n\n".encode()


def faults_of_messages(messages: list[dict[str, Any]]) -> Iterator[str]:
    """What is wrong with a conversation: who speaks first, whose calls have no results."""
    if not messages or messages[0].get("role") != "user":
        yield "messages: the first must be the user's"
    open_calls: list[str] = []
    for number, message in enumerate(messages):
        blocks = message.get("content")
        if isinstance(blocks, str):
            blocks = [{"type": "text", "text": blocks}]
        if not blocks:
            yield f"messages.{number}: empty content"
            blocks = []
        if message.get("role") not in ("user", "assistant"):
            yield f"messages.{number}: role {message.get('role')}"
        for block in blocks:
            if block["type"] == "text" and not block["text"].strip():
                yield f"messages.{number}: text content blocks must contain non-whitespace text"
        results = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
        if sorted(results) != sorted(open_calls):
            yield f"messages.{number}: tool_use ids {open_calls} have the results {results}"
        open_calls = [block["id"] for block in blocks if block["type"] == "tool_use"]
        if message.get("role") == "user" and open_calls:
            yield f"messages.{number}: the user calls a tool"
    if open_calls:
        yield "messages: the last call has no result"
    if messages and messages[-1].get("role") == "assistant":
        yield "messages: the last must be the user's"
