"""Owns the reachability ceiling: the states to which an agent can bring records for a user, at most.

From the table, the agent's list and the user's rights of this moment, whatever the language model does. Must not know
any surface.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fsm_lifecycle import registry as tables
from fsm_lifecycle.access.codenames import concrete
from fsm_lifecycle.agents.offering import permitted
from fsm_lifecycle.agents.profile import Profile, Scope
from fsm_lifecycle.agents.risk import NEVER
from fsm_lifecycle.definition import Event, State, Table


@dataclass(frozen=True, slots=True)
class Reach:
    """The ceiling for the records of one lifecycle."""

    lifecycle: str
    """``billing.invoice``."""
    alone: tuple[State, ...]
    """The states that it can bring a record to by itself, in declared order."""
    approved: tuple[State, ...]
    """The further states that it can bring a record to when a person approves."""
    events: tuple[str, ...]
    """The events that it can fire by itself."""
    with_approval: tuple[str, ...]
    """The events that it can have approved."""
    caused: bool = False
    """Whether this lifecycle is only reached because an event of another one fires events here."""


def reach(profile: Profile, user: Any) -> list[Reach]:
    """What an agent can reach for a user at most, by lifecycle; those that its events fire on last."""
    found = []
    caused: dict[str, dict[str, set[str]]] = {}
    for scope in profile.scopes:
        events = permitted(scope, user)
        free = tuple(name for name in events if scope.approval[name] == NEVER)
        rest = tuple(name for name in events if scope.approval[name] != NEVER)
        found.append(_reach(scope.label, scope.table, free, rest))
        for which, names in (("alone", free), ("approved", rest)):
            for label, name in _caused(scope, names):
                caused.setdefault(label, {"alone": set(), "approved": set()})[which].add(name)
    for label, by in caused.items():
        table: Table = tables.get(label).lifecycle
        free = tuple(name for name in table.events if name in by["alone"])
        rest = tuple(name for name in table.events if name in by["approved"] - by["alone"])
        found.append(_reach(label, table, free, rest, caused=True))
    return found


def _reach(
    label: str, table: Table, free: tuple[str, ...], rest: tuple[str, ...], caused: bool = False
) -> Reach:
    mine = {target for name in free for target in map(str, table.events[name].targets)}
    theirs = {target for name in rest for target in map(str, table.events[name].targets)} - mine
    return Reach(
        lifecycle=label,
        alone=tuple(state for state in table.states.values() if state.value in mine),
        approved=tuple(state for state in table.states.values() if state.value in theirs),
        events=free,
        with_approval=rest,
        caused=caused,
    )


def _caused(scope: Scope, names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """The events that these events fire on other records, and what those fire in turn: label and name."""
    seen: set[tuple[str, str]] = set()
    waiting = [(scope.table.events[name]) for name in names]
    while waiting:
        for label, event in _fired(waiting.pop()):
            if (label, event.name) not in seen:
                seen.add((label, event.name))
                waiting.append(event)
                yield label, event.name


def _fired(event: Event) -> Iterator[tuple[str, Event]]:
    for effect in event.effects:
        if effect.connection is None or not effect.connection.model:
            continue
        try:
            model: Any = tables.get(effect.connection.model)
        except LookupError:
            continue
        fired = model.lifecycle.events.get(effect.connection.event)
        if fired is not None:
            yield concrete(model)._meta.label_lower, fired
