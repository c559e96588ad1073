"""Events that fire by themselves: after a time in a state, or at the time in a field.

Owns the timers, how they are set from the log, and how those that are due are worked off. It must not know webhooks,
agents, diagrams, nor HTTP. Names are looked up when they are asked for, because models cannot be imported before the
apps are ready.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fsm_lifecycle.timers.upcoming import Upcoming, for_records, late, next_of, waiting

_NAMES = ("Upcoming", "for_records", "late", "next_of", "waiting")

__all__ = ["Upcoming", "for_records", "late", "next_of", "waiting"]

if not TYPE_CHECKING:  # a type checker would take every name for Any

    def __getattr__(name: str) -> Any:
        if name in _NAMES:
            return getattr(import_module("fsm_lifecycle.timers.upcoming"), name)
        raise AttributeError(f"module 'fsm_lifecycle.timers' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
