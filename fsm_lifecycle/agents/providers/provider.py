"""What every provider is. Must not know any of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from fsm_lifecycle.agents.providers.key import Key
from fsm_lifecycle.agents.providers.reply import StreamEvent
from fsm_lifecycle.agents.providers.request import ModelRequest


class Provider(Protocol):
    """Carries one request to a model and gives what comes back, piece by piece.

    ``stream`` ends with a ``Reply``, or raises ``ModelFailure`` (or ``ProviderMissing``). It never asks twice:
    who calls it counts the tries. It runs in a thread of its own and may be closed between two pieces.
    """

    @property
    def name(self) -> str:
        """As in settings: ``anthropic/claude-sonnet-5-5``."""
        ...

    def stream(self, request: ModelRequest) -> Iterator[StreamEvent]:
        """Text as it is written, tool calls as they begin, the whole message at the end."""
        ...

    def key(self) -> Key:
        """Whether it has its key, without showing it."""
        ...
