"""What a model is asked. Must not know which provider carries it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelRequest:
    """One request: the whole conversation so far, nothing is kept on a server."""

    system: str
    messages: Sequence[Mapping[str, Any]]
    """In Anthropic's format: ``{"role": "user"|"assistant", "content": [block, ...]}``."""
    tools: Sequence[Mapping[str, Any]]
    """In Anthropic's format: ``{"name", "description", "input_schema"}``."""
    max_tokens: int
    """The most that the answer may have; always within what the budget leaves."""
    seconds: float
    """How long the answer may take, from the first byte to the last."""
