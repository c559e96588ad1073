"""``openai/<model>@<base_url>``: any server with OpenAI's chat completions, such as ollama or vLLM.

Messages are kept in Anthropic's format and put into this one here. Must not know agents.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from fsm_lifecycle.agents.providers.exact import NotExact, read_object
from fsm_lifecycle.agents.providers.failures import ModelFailure, ProviderMissing, broken, status_failure
from fsm_lifecycle.agents.providers.key import Key, from_environment
from fsm_lifecycle.agents.providers.reply import (
    Reply,
    StreamEvent,
    TextDelta,
    ToolStarted,
    Usage,
    message_from,
)
from fsm_lifecycle.agents.providers.request import ModelRequest

logger = logging.getLogger("fsm_lifecycle")

_STOPS: Final = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}
_SILENCE: Final = 120.0
_REMEDY: Final = (
    "No key for OpenAI's API. Set OPENAI_API_KEY in the environment of the process that runs agents, or name a server "
    'of your own: "openai/<model>@http://localhost:11434/v1".'
)


class OpenAIProvider:
    """A model behind chat completions. Without a base URL, OpenAI's own."""

    def __init__(self, model: str, base_url: str = "") -> None:
        self.model = model
        self.base_url = base_url

    @property
    def name(self) -> str:
        return f"openai/{self.model}" + (f"@{self._shown}" if self.base_url else "")

    @property
    def _shown(self) -> str:
        """The address without a password in it: names stand in rows and in the log."""
        return re.sub(r"(?<=://)[^/@]*@", "", self.base_url)

    def key(self) -> Key:
        if self.base_url and not os.environ.get("OPENAI_API_KEY"):
            return Key(True, f"{self._shown} is asked without a key.")
        return from_environment("OPENAI_API_KEY", remedy=_REMEDY)

    def stream(self, request: ModelRequest) -> Iterator[StreamEvent]:
        openai = _sdk()
        if not self.key().present:
            raise ProviderMissing(_REMEDY)
        silence = max(0.1, min(_SILENCE, request.seconds))
        where = {"base_url": self.base_url} if self.base_url else {}
        # The SDK wants some key; a server of one's own mostly does not.
        key = os.environ.get("OPENAI_API_KEY") or "none"
        with openai.OpenAI(api_key=key, max_retries=0, timeout=silence, **where) as client:
            yield from self._asked(openai, client, request)

    def _asked(self, openai: Any, client: Any, request: ModelRequest) -> Iterator[StreamEvent]:
        httpx2 = importlib.import_module("httpx2")
        so_far = _SoFar(len(json.dumps(chat_messages(request), ensure_ascii=False).encode()) // 3)
        # OpenAI's own models know the newer name alone, most other servers the older one.
        limit = "max_tokens" if self.base_url else "max_completion_tokens"
        try:
            with client.chat.completions.create(
                model=self.model,
                messages=chat_messages(request),
                stream=True,
                stream_options={"include_usage": True},
                **{limit: request.max_tokens},
                **_tools(request),
            ) as chunks:
                for chunk in chunks:
                    yield from so_far.take(chunk)
            yield so_far.reply()
        except ModelFailure:
            raise
        except openai.APIStatusError as error:
            logger.warning("%s answered %s: %s", self.name, error.status_code, error.message)
            retry_after = error.response.headers.get("retry-after")
            raise status_failure(self.name, error.status_code, error.type or "", retry_after) from None
        except (openai.APIError, httpx2.HTTPError) as error:
            logger.warning("%s: %s", self.name, error)
            raise ModelFailure(
                f"The connection to {self.name} failed, or broke off.",
                again=True,
                usage=so_far.usage if so_far.began else None,
                began=so_far.began,
            ) from None
        except Exception as error:
            logger.warning("%s sent what makes no sense: %r", self.name, error)
            raise broken(f"{self.name} sent what makes no sense.", usage=so_far.usage) from None


class _SoFar:
    """What has come of an answer."""

    def __init__(self, estimate: int) -> None:
        self.estimate = estimate
        self.began = False
        self.text = ""
        self.calls: dict[int, dict[str, str]] = {}
        self.finish: str | None = None
        self.counted: Usage | None = None

    @property
    def usage(self) -> Usage:
        """As the server counts; not every one does, so by what was sent and what arrived."""
        if self.counted is not None:
            return self.counted
        written = len(self.text) + sum(len(call["arguments"]) for call in self.calls.values())
        return Usage(self.estimate, -(-written // 3))

    def take(self, chunk: Any) -> Iterator[StreamEvent]:
        self.began = True
        if chunk.usage is not None:
            self.counted = Usage(chunk.usage.prompt_tokens or 0, chunk.usage.completion_tokens or 0)
        for choice in chunk.choices or ():
            if choice.index:
                continue
            if choice.delta is not None and choice.delta.content:
                self.text += choice.delta.content
                yield TextDelta(choice.delta.content)
            for piece in (choice.delta and choice.delta.tool_calls) or ():
                yield from self._call(piece)
            self.finish = choice.finish_reason or self.finish

    def _call(self, piece: Any) -> Iterator[StreamEvent]:
        call = self.calls.setdefault(piece.index, {"id": "", "name": "", "arguments": ""})
        call["id"] = piece.id or call["id"]
        if piece.function is not None:
            if piece.function.name and not call["name"]:
                call["name"] = piece.function.name
                yield ToolStarted(call["name"])
            call["arguments"] += piece.function.arguments or ""

    def reply(self) -> Reply:
        """The whole message. A call is whole where the server says so, and its arguments can be read."""
        if self.finish is None:
            raise broken("The stream ended before the message did.", usage=self.usage)
        stop = _STOPS.get(self.finish)
        if stop is None:
            raise broken(f"The message ended for a reason of its own: {self.finish[:50]}.", usage=self.usage)
        if self.calls and stop == "end_turn":  # some servers end a call with “stop”
            stop = "tool_use"
        content: list[dict[str, Any]] = [{"type": "text", "text": self.text}] if self.text else []
        for index, call in sorted(self.calls.items()) if stop == "tool_use" else ():
            try:
                given = read_object(call["arguments"] or "{}")
            except NotExact:
                raise broken("A tool call's input in the reply is no JSON.", usage=self.usage) from None
            name = call["id"] or f"call_{index}"
            content.append({"type": "tool_use", "id": name, "name": call["name"], "input": given})
        usage = {"input_tokens": self.usage.input, "output_tokens": self.usage.output}
        return message_from({"content": content, "stop_reason": stop, "usage": usage})


def chat_messages(request: ModelRequest) -> list[dict[str, Any]]:
    """The conversation as chat completions want it."""
    found: list[dict[str, Any]] = [{"role": "system", "content": request.system}] if request.system else []
    for message in request.messages:
        blocks = message["content"]
        if isinstance(blocks, str):
            blocks = [{"type": "text", "text": blocks}]
        text = "\n\n".join(block["text"] for block in blocks if block["type"] == "text")
        if message["role"] == "assistant":
            found.append(_assistant(text, [block for block in blocks if block["type"] == "tool_use"]))
            continue
        found += [_result(block) for block in blocks if block["type"] == "tool_result"]
        if text:
            found.append({"role": "user", "content": text})
    return found


def _assistant(text: str, calls: list[Mapping[str, Any]]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if calls:
        message["tool_calls"] = [
            {
                "id": call["id"],
                "type": "function",
                "function": {
                    "name": call["name"],
                    "arguments": json.dumps(call["input"], ensure_ascii=False),
                },
            }
            for call in calls
        ]
    return message


def _result(block: Mapping[str, Any]) -> dict[str, Any]:
    content = block.get("content") or ""
    if not isinstance(content, str):
        content = "\n".join(part.get("text", "") for part in content)
    return {"role": "tool", "tool_call_id": block["tool_use_id"], "content": content}


def _tools(request: ModelRequest) -> dict[str, Any]:
    if not request.tools:
        return {}
    tools = [
        {
            "type": "function",
            "function": {
                "name": tool["name"],
                "description": tool.get("description", ""),
                "parameters": tool["input_schema"],
            },
        }
        for tool in request.tools
    ]
    return {"tools": tools, "tool_choice": "auto", "parallel_tool_calls": False}


def _sdk() -> Any:
    try:
        return importlib.import_module("openai")
    except ImportError:
        raise ProviderMissing(
            "The package “openai” is not installed. Run: pip install 'fsm-lifecycle[openai]'"
        ) from None
