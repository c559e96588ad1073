"""What comes back from a model: pieces as they are written, then one whole message.

Must not know which provider it came from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from fsm_lifecycle.agents.providers.exact import NotExact, finite, storable
from fsm_lifecycle.agents.providers.failures import broken


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one request."""

    input: int = 0
    """Everything read, from a cache or not."""
    output: int = 0

    @property
    def total(self) -> int:
        """Both."""
        return self.input + self.output


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of text as the model writes it."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolStarted:
    """The model began to write a tool call. Nothing may be done before the whole message is there."""

    name: str


@dataclass(frozen=True, slots=True)
class Reply:
    """The whole message, in Anthropic's block format; the last thing that a stream gives."""

    content: tuple[Mapping[str, Any], ...]
    stop_reason: str
    usage: Usage

    @property
    def text(self) -> str:
        """Its text blocks together."""
        return "\n\n".join(block["text"] for block in self.content if block["type"] == "text")


StreamEvent = TextDelta | ToolStarted | Reply

_STOPS: Final = frozenset(
    """
    end_turn max_tokens stop_sequence tool_use pause_turn refusal model_context_window_exceeded
    """.split()
)
# Blocks that are kept as they came: the API wants them back unchanged.
_KEPT: Final = frozenset({"thinking", "redacted_thinking"})


def message_from(document: Any) -> Reply:
    """A reply from a message in Anthropic's format. Raises ``ModelFailure`` for anything else."""
    if not isinstance(document, Mapping) or not isinstance(document.get("content"), list | tuple):
        raise broken("The reply is no message with a list “content”.")
    stop = document.get("stop_reason")
    if stop not in _STOPS:
        raise broken("The reply has no stop_reason that is known.")
    blocks = []
    for block in document["content"]:
        if (kept := _block(block)) is not None:
            blocks.append(kept)
    if stop == "tool_use" and not any(block["type"] == "tool_use" for block in blocks):
        raise broken("The reply says that it calls a tool, and calls none.")
    return Reply(tuple(blocks), stop, _usage(document.get("usage")))


def _block(block: Any) -> Mapping[str, Any] | None:
    kind = block.get("type") if isinstance(block, Mapping) else None
    if kind == "text" and isinstance(block.get("text"), str):
        # The API takes no empty text back.
        return {"type": "text", "text": storable(block["text"])} if block["text"].strip() else None
    if kind == "tool_use":
        name, given, call = block.get("name"), block.get("input"), block.get("id")
        if not (isinstance(name, str) and isinstance(given, Mapping) and isinstance(call, str) and call):
            raise broken("A tool call in the reply lacks its id, name or input.")
        try:
            finite(given)
        except NotExact:
            raise broken("A tool call's input in the reply holds a number that is none.") from None
        return {"type": "tool_use", "id": storable(call), "name": storable(name), "input": storable(given)}
    if kind in _KEPT:
        return {str(key): storable(value) for key, value in block.items()}
    raise broken("The reply holds a block of a kind that is not known.")


def _usage(given: Any) -> Usage:
    if not isinstance(given, Mapping):
        return Usage()

    def tokens(name: str) -> int:
        value = given.get(name)
        return value if type(value) is int and value > 0 else 0

    cached = tokens("cache_creation_input_tokens") + tokens("cache_read_input_tokens")
    return Usage(tokens("input_tokens") + cached, tokens("output_tokens"))
