"""Where a model's answers come from: a name in code or settings becomes a ``Provider``."""

from fsm_lifecycle.agents.providers.failures import ModelFailure, ProviderMissing
from fsm_lifecycle.agents.providers.key import Key
from fsm_lifecycle.agents.providers.provider import Provider
from fsm_lifecycle.agents.providers.reply import Reply, StreamEvent, TextDelta, ToolStarted, Usage
from fsm_lifecycle.agents.providers.request import ModelRequest
from fsm_lifecycle.agents.providers.resolving import key_of, provider_for

__all__ = [
    "Key",
    "ModelFailure",
    "ModelRequest",
    "Provider",
    "ProviderMissing",
    "Reply",
    "StreamEvent",
    "TextDelta",
    "ToolStarted",
    "Usage",
    "key_of",
    "provider_for",
]
