"""``anthropic/<model>``: the Messages API through Anthropic's SDK.

The SDK is imported when it is used: that takes over two seconds. Its own retries are off, because tries are counted
and paid for by who asks. Must not know agents.
"""

from __future__ import annotations

import importlib
import logging
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

_VARIABLES: Final = (
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_AUTH_TOKEN",
    "ANTHROPIC_PROFILE",
    "ANTHROPIC_FEDERATION_RULE_ID",
)
_REMEDY: Final = (
    "No key for Anthropic's API. Set ANTHROPIC_API_KEY in the environment of the process that runs agents, or choose "
    'another provider: FSM_LIFECYCLE["AGENT_MODEL"].'
)
_SILENCE: Final = 120.0
"""Seconds without a byte after which a connection is given up."""


class AnthropicProvider:
    """One of Anthropic's models."""

    def __init__(self, model: str) -> None:
        self.model = model

    @property
    def name(self) -> str:
        return f"anthropic/{self.model}"

    def key(self) -> Key:
        return from_environment(*_VARIABLES, remedy=_REMEDY)

    def stream(self, request: ModelRequest) -> Iterator[StreamEvent]:
        anthropic = _sdk()
        silence = max(0.1, min(_SILENCE, request.seconds))
        try:
            client = anthropic.Anthropic(max_retries=0, timeout=silence)
        except anthropic.CredentialsError as error:  # a profile is named and is not there
            logger.warning("%s: %s", self.name, error)
            raise ProviderMissing(_REMEDY) from None
        with client:
            if not (client.api_key or client.auth_token or client.credentials):
                raise ProviderMissing(_REMEDY)
            yield from self._asked(anthropic, client, request)

    def _asked(self, anthropic: Any, client: Any, request: ModelRequest) -> Iterator[StreamEvent]:
        httpx2 = importlib.import_module("httpx2")
        so_far = _SoFar()
        try:
            with client.messages.stream(
                model=self.model,
                max_tokens=request.max_tokens,
                system=request.system,
                messages=list(request.messages),
                **_tools(request),
            ) as stream:
                for event in stream:
                    yield from so_far.take(event)
                yield so_far.reply(stream.get_final_message() if so_far.whole else None)
        except ModelFailure:
            raise
        except anthropic.CredentialsError as error:
            logger.warning("%s: %s", self.name, error)
            raise ProviderMissing(_REMEDY) from None
        except anthropic.APIStatusError as error:
            logger.warning("%s answered %s: %s", self.name, error.status_code, error.api_message)
            raise status_failure(
                self.name,
                error.status_code,
                error.type or "",
                error.response.headers.get("retry-after"),
                usage=so_far.usage,
            ) from None
        except (anthropic.APIError, httpx2.HTTPError) as error:
            logger.warning("%s: %s", self.name, error)
            raise ModelFailure(
                f"The connection to {self.name} failed, or broke off.",
                again=True,
                usage=so_far.usage,
                began=so_far.began,
            ) from None
        except Exception as error:
            # The SDK puts the pieces together and trusts them; what is no event at all fails in many ways.
            logger.warning("%s sent what makes no sense: %r", self.name, error)
            raise broken(f"{self.name} sent what makes no sense.", usage=so_far.usage) from None


class _SoFar:
    """What has come of an answer."""

    def __init__(self) -> None:
        self.whole = False
        self.started: Mapping[str, Any] | None = None
        self.input = 0
        self.output = 0
        self.characters = 0
        self.arguments: dict[int, str] = {}

    @property
    def began(self) -> bool:
        return self.started is not None

    @property
    def usage(self) -> Usage | None:
        """Tokens spent: as the server counts them, or by what has arrived."""
        if self.started is None:
            return None
        return Usage(self.input, max(self.output, -(-self.characters // 3)))

    def take(self, event: Any) -> Iterator[StreamEvent]:
        """One event of the SDK's; only raw ones are looked at, beside ``text``."""
        if event.type == "message_start":
            self.started = event.message.usage.to_dict()
            self.input = message_usage(self.started).input
        elif event.type == "message_delta":
            self.output = event.usage.output_tokens
        elif event.type == "content_block_start" and event.content_block.type == "tool_use":
            yield ToolStarted(event.content_block.name)
        elif event.type == "content_block_delta":
            delta = event.delta
            written = getattr(delta, "text", None) or getattr(delta, "partial_json", None)
            self.characters += len(written or getattr(delta, "thinking", None) or "")
            if delta.type == "text_delta":
                yield TextDelta(delta.text)
            elif delta.type == "input_json_delta":
                self.arguments[event.index] = self.arguments.get(event.index, "") + delta.partial_json
        elif event.type == "message_stop":
            self.whole = True

    def reply(self, message: Any) -> Reply:
        """The whole message. The SDK reads cut-off arguments as if they were whole, so they are read again here."""
        if message is None:
            raise broken("The stream ended before the message did.", usage=self.usage)
        document = message.to_dict()
        if message.stop_reason == "tool_use":
            for index, text in self.arguments.items():
                try:
                    document["content"][index]["input"] = read_object(text or "{}")
                except NotExact:
                    raise broken("A tool call's input in the reply is no JSON.", usage=self.usage) from None
        document["content"] = [_plain(block) for block in document["content"]]
        return message_from(document)


def _plain(block: dict[str, Any]) -> dict[str, Any]:
    """A block without what the SDK adds for readers of Python."""
    return {key: value for key, value in block.items() if key not in ("parsed_output", "citations", "caller")}


def message_usage(usage: Mapping[str, Any]) -> Usage:
    """Tokens as the API counts them."""
    return message_from({"content": [], "stop_reason": "end_turn", "usage": usage}).usage


def _tools(request: ModelRequest) -> dict[str, Any]:
    if not request.tools:
        return {}
    return {
        "tools": [dict(tool) for tool in request.tools],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
    }


def _sdk() -> Any:
    try:
        return importlib.import_module("anthropic")
    except ImportError:
        raise ProviderMissing(
            "The package “anthropic” is not installed. Run: pip install anthropic"
        ) from None
