"""The current actor of this thread or task, and the reason under which records are adopted.

Context travels in context variables, always reset by token, and is never the only carrier: ``fire`` takes an
actor too. Must not know where the context comes from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar, Token
from typing import Any

from fsm_lifecycle.access.actors import AgentActor, System, is_user
from fsm_lifecycle.exceptions import ActorRequired

# A callable, because the user of a request may be known only later (token authentication).
_current: ContextVar[Callable[[], Any] | None] = ContextVar("fsm_lifecycle_actor", default=None)


def current_actor() -> Any:
    """The current actor, or ``None`` outside every request and every ``acting_as``."""
    resolve = _current.get()
    return None if resolve is None else resolve()


def required_actor(actor: Any) -> Any:
    """The actor that was given, else the current one. Raises ``ActorRequired`` when there is neither."""
    if actor is None:
        actor = current_actor()
    if actor is None:
        raise ActorRequired(
            'Nobody is acting. Pass actor=..., use "with acting_as(user):", or add '
            '"fsm_lifecycle.middleware.ActorMiddleware" to MIDDLEWARE. A program acts as System("reason").'
        )
    return actor


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
