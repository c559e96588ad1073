"""Owns what tests of agents begin with: agents of a test's own, runs, calls, and records in any state."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fsm_lifecycle.agents import Budget, LifecycleAgent, dispatch, registry
from fsm_lifecycle.models import AgentRun, RefusedAttempt

_numbers = itertools.count(1)

FREE = Budget(tool_calls=None)


@contextmanager
def declared(**attributes: Any) -> Iterator[type[LifecycleAgent]]:
    """An agent that is known while the block lasts."""
    name = f"Made{next(_numbers)}"
    made: type[LifecycleAgent] = type(name, (LifecycleAgent,), {"budget": FREE, **attributes})
    try:
        yield made
    finally:
        registry.unregister(made)


def run_of(agent: Any, user: Any, **more: Any) -> AgentRun:
    """A run of an agent (a class, or a key) for a user."""
    profile = registry.get(agent) if isinstance(agent, str) else registry.of(agent)
    made: AgentRun = AgentRun.objects.create(
        agent=profile.key, user=user, user_key=str(user.pk), lifecycles=profile.lifecycles, **more
    )
    return made


def call(run: AgentRun, name: str, /, call_id: str = "", **arguments: Any) -> dict[str, Any]:
    """Call a tool under a new id, or under the one given."""
    return dispatch(run, name, arguments, call_id or f"toolu_{next(_numbers)}")


def refusals(record: Any) -> list[tuple[str, str]]:
    """The events that were refused on a record, each with its code, oldest first."""
    found = RefusedAttempt.objects.filter(object_pk=str(record.pk)).order_by("pk")
    return list(found.values_list("event", "code"))


def state_of(record: Any) -> str:
    """The record's state as the database has it."""
    return str(type(record).objects.values_list(record._lifecycle.state_name, flat=True).get(pk=record.pk))
