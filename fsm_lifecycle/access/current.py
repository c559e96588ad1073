"""Owns the current actor of this thread or task, and the agent whose own tool runs in it.

Context travels in context variables, always reset by token, and is never the only carrier: ``fire`` takes an
actor too. Must not know where the context comes from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar, Token
from typing import Any

from fsm_lifecycle.access.actors import AgentActor, System, is_user
from fsm_lifecycle.exceptions import AccessDenied, ActorRequired

# A callable, because the user of a request may be known only later (token authentication).
_current: ContextVar[Callable[[], Any] | None] = ContextVar("fsm_lifecycle_actor", default=None)
# The agent whose own tool runs now.
_agent: ContextVar[AgentActor | None] = ContextVar("fsm_lifecycle_agent", default=None)


def current_actor() -> Any:
    """The current actor, or ``None`` outside every request and every ``acting_as``. In an agent's tool: the agent."""
    if (agent := _agent.get()) is not None:
        return agent
    resolve = _current.get()
    return None if resolve is None else resolve()


def actor_meant(actor: Any) -> Any:
    """The actor that was given, else the current one, else ``None``. In an agent's tool a person is the agent."""
    if actor is None or (_agent.get() is not None and not isinstance(actor, System)):
        return current_actor()
    return actor


def required_actor(actor: Any) -> Any:
    """As ``actor_meant``. Raises ``ActorRequired`` when there is nobody."""
    actor = actor_meant(actor)
    if actor is None:
        raise ActorRequired(
            'Nobody is acting. Pass actor=..., use "with acting_as(user):", or add '
            '"fsm_lifecycle.middleware.ActorMiddleware" to MIDDLEWARE. A program acts as System("reason").'
        )
    return actor


def firing_actor(actor: Any) -> Any:
    """As ``required_actor``, but in an agent's tool the agent fires, whoever is given."""
    return _agent.get() or required_actor(actor)


def agent_in_tool() -> AgentActor | None:
    """The agent whose own tool runs now."""
    return _agent.get()


@contextmanager
def in_tool_of(agent: AgentActor | None) -> Iterator[None]:
    """Inside, ``agent`` fires, whoever is named, and acts for whatever person is named.

    ``None`` leaves the tool: for effects, which are the table's doing, and may name whom they will.
    """
    token = _agent.set(agent)
    try:
        yield
    finally:
        _agent.reset(token)


def refuse_in_tool(what: str) -> None:
    """Raise ``AccessDenied`` in an agent's tool: ``what`` would go on without it, as somebody else."""
    if _agent.get() is not None:
        raise AccessDenied(f"An agent’s tool {what}. Do it in an effect of an event, or outside the agent.")


@contextmanager
def acting_as(actor: Any) -> Iterator[None]:
    """Make ``actor`` the current actor for the block: ``with acting_as(System("import")): ...``."""
    if not (isinstance(actor, System | AgentActor) or is_user(actor)):
        raise ActorRequired(f'acting_as({actor!r}): pass a user or System("reason").')
    token = enter(lambda: actor)
    try:
        yield
    finally:
        leave(token)


def enter(resolve: Callable[[], Any]) -> Token[Callable[[], Any] | None]:
    """Make ``resolve()`` the current actor until ``leave(token)``."""
    return _current.set(resolve)


def leave(token: Token[Callable[[], Any] | None]) -> None:
    """Undo ``enter``."""
    # ValueError: a generator that another task closes, whose actor was set in a context that is gone.
    with suppress(ValueError):
        _current.reset(token)
