"""Agents: a language model works on records with its user's rights, with tools made from the table.

Owns how agents are declared, their tools, runs and proposals. Must not know any surface. Names are looked up when
they are asked for, because models cannot be imported before the apps are ready.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fsm_lifecycle.agents.actor import Agent
    from fsm_lifecycle.agents.budget import Budget
    from fsm_lifecycle.agents.declaring import LifecycleAgent
    from fsm_lifecycle.agents.dispatching import dispatch
    from fsm_lifecycle.agents.own_tool import tool
    from fsm_lifecycle.agents.runs import execute, say, start, stop

_HOME_OF = {
    "Agent": "actor",
    "Budget": "budget",
    "LifecycleAgent": "declaring",
    "dispatch": "dispatching",
    "execute": "runs",
    "say": "runs",
    "start": "runs",
    "stop": "runs",
    "tool": "own_tool",
}

__all__ = ["Agent", "Budget", "LifecycleAgent", "dispatch", "execute", "say", "start", "stop", "tool"]

if not TYPE_CHECKING:  # a type checker would take every name for Any

    def __getattr__(name: str) -> Any:
        if name in _HOME_OF:
            return getattr(import_module(f"fsm_lifecycle.agents.{_HOME_OF[name]}"), name)
        raise AttributeError(f"module 'fsm_lifecycle.agents' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
