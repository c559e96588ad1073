"""Servers that stand in for what cannot run here: models behind an API. They speak over real sockets."""

from tests.fakes.anthropic_api import FakeAnthropic
from tests.fakes.openai_api import FakeOpenAI
from tests.fakes.server import FakeModel, Received
from tests.fakes.turns import Failure, Turn, calls, calls_many, overloaded, rate_limited, says

__all__ = [
    "Failure",
    "FakeAnthropic",
    "FakeModel",
    "FakeOpenAI",
    "Received",
    "Turn",
    "calls",
    "calls_many",
    "overloaded",
    "rate_limited",
    "says",
]
