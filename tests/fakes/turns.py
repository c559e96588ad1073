"""What a fake model is told to answer: one ``Turn`` for each request, in the format of Anthropic's content blocks.

Must not know which wire format carries it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One answer, and how its transport goes wrong. A frame is one server-sent event."""

    blocks: tuple[Mapping[str, Any], ...] = ()
    stop_reason: str = "end_turn"
    input_tokens: int | None = None
    """What the fake says it has read; by default a quarter of the request's bytes."""
    output_tokens: int | None = None
    """What it says it has written, at most the request's ``max_tokens``; by default a quarter of the blocks' bytes."""
    cached: tuple[int, int] = (0, 0)
    """Tokens written to and read from a cache, beside ``input_tokens``."""
    cut_after: int | None = None
    """Frames after which the connection drops."""
    ends_after: int | None = None
    """Frames after which the stream ends as if it were whole."""
    stalls_after: int | None = None
    """Frames after which nothing more comes, until the server closes."""
    held_after: int | None = None
    """Frames after which nothing more comes until the test says ``go_on``."""
    error_after: tuple[int, str] | None = None
    """Frames after which an ``error`` event of a type comes: ``(3, "overloaded_error")``."""
    pause: float = 0
    """Seconds between two frames."""
    truncated: bool = False
    """The last tool call's arguments break off."""

    def cut(self, frames: int) -> Turn:
        """The same, with the connection dropped after so many frames."""
        return replace(self, cut_after=frames)


@dataclass(frozen=True, kw_only=True)
class Failure:
    """An answer with a status that is no success."""

    status: int
    kind: str = "api_error"
    message: str = "Internal server error"
    retry_after: str | None = None


Answer = Turn | Failure
#: A model that thinks: it is given the parsed request.
Thinking = Callable[[dict[str, Any]], Answer]


def says(text: str, **how: Any) -> Turn:
    """A turn that ends with a text."""
    return Turn(blocks=({"type": "text", "text": text},), **how)


def calls(tool: str, arguments: Mapping[str, Any] | None = None, *, saying: str = "", **how: Any) -> Turn:
    """A turn that calls one tool, after a text if there is one. The fake makes up the call's id."""
    return calls_many((tool, arguments or {}), saying=saying, **how)


def calls_many(*wanted: tuple[str, Mapping[str, Any]], saying: str = "", **how: Any) -> Turn:
    """A turn that calls several tools, which it was asked not to do."""
    text: tuple[Mapping[str, Any], ...] = ({"type": "text", "text": saying},) if saying else ()
    tools = tuple({"type": "tool_use", "name": name, "input": dict(given)} for name, given in wanted)
    return Turn(blocks=text + tools, **{"stop_reason": "tool_use", **how})


def overloaded() -> Failure:
    """529, as the Messages API says that it is busy."""
    return Failure(status=529, kind="overloaded_error", message="Overloaded")


def rate_limited(retry_after: str = "0") -> Failure:
    """429 with a time to wait."""
    return Failure(status=429, kind="rate_limit_error", message="Slow down", retry_after=retry_after)
