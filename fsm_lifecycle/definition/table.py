"""The compiled, frozen transition table of one lifecycle.

Owns the mappings by name, the expansion of ``ANY`` and the fingerprint. Building never fails for a defect
that a system check can name (see ``defects``). It must not know the model it belongs to.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from operator import attrgetter
from pickle import PicklingError, UnpicklingError
from types import MappingProxyType
from typing import Any

from fsm_lifecycle.definition.branch import Branch
from fsm_lifecycle.definition.effects import Effect
from fsm_lifecycle.definition.event import Event, _Any
from fsm_lifecycle.definition.graph import adjacency, reachable
from fsm_lifecycle.definition.retention import Retention
from fsm_lifecycle.definition.role import CRUD, Role
from fsm_lifecycle.definition.snapshot import Snapshot
from fsm_lifecycle.definition.state import State
from fsm_lifecycle.exceptions import UnknownEvent

#: Attributes of a nested ``Lifecycle`` class that are neither states, events nor roles.
OPTIONS = ("label", "snapshot", "retention", "api_fields", "tool_plural")


@dataclass(frozen=True, slots=True)
class Transition:
    """One row of the table."""

    event: Event
    source: State
    target: State


def members_of(declaration: type) -> dict[str, Any]:
    """The public attributes of a nested class and its parents, parents first; ``None`` takes one away."""
    found: dict[str, Any] = {}
    for klass in reversed(declaration.__mro__[:-1]):
        for name, value in vars(klass).items():
            if not name.startswith("_"):
                found[name] = value
    return {name: value for name, value in found.items() if value is not None}


class Table:
    """What ``Invoice.lifecycle`` is.

    ``states``, ``events`` and ``roles`` are read-only mappings by name (a state's name is its value);
    ``initial`` is where records begin, ``terminal`` the states that are final. Frozen once it is built.
    """

    def __init__(self, declaration: type, home: type | None = None) -> None:
        members = members_of(declaration)
        declared = [m for m in members.values() if isinstance(m, State)]
        states = {state.value: state for state in reversed(declared)}
        states = {state.value: states[state.value] for state in declared}
        self.declaration = declaration
        self.home = home
        """The class whose ``lifecycle`` this is: how a pickle names it."""
        self.family = frozenset(declaration.__mro__[:-1])
        """The classes whose members this table understands."""
        self.declared_states = tuple(declared)
        self.states: Mapping[str, State] = MappingProxyType(states)
        self.initial: State = next((s for s in declared if s.initial), declared[0] if declared else State(""))
        self.terminal: tuple[State, ...] = tuple(s for s in states.values() if s.terminal)
        self.events: Mapping[str, Event] = MappingProxyType(
            {name: self._resolve(name, m) for name, m in members.items() if isinstance(m, Event)}
        )
        self.roles: Mapping[str, Role] = MappingProxyType(
            {m.value: m for m in members.values() if isinstance(m, Role)}
        )
        self.declared_roles = tuple(m for m in members.values() if isinstance(m, Role))
        self.options: Mapping[str, Any] = MappingProxyType(
            {name: members[name] for name in OPTIONS if name in members}
        )
        self.unknown_members = tuple(
            name
            for name, m in members.items()
            if not isinstance(m, State | Event | Role | staticmethod | classmethod | property)
            and not callable(m)
            and name not in OPTIONS
        )
        self.transitions = tuple(
            Transition(event, self.states[source], self.states[target])
            for event in self.events.values()
            for source in event.sources
            if isinstance(source, str) and source in self.states
            for target in event.targets
            if target in self.states
        )
        self._built = True

    def __setattr__(self, name: str, value: Any) -> None:
        if "_built" in vars(self):
            raise AttributeError(
                f"The table is frozen: {name!r} cannot be assigned. Change the declaration, or refine it in a child "
                f"class."
            )
        super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"The table is frozen: {name!r} cannot be deleted.")

    def __copy__(self) -> Table:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Table:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        if self.home is None:
            raise PicklingError(f"{self!r} belongs to no class, so a pickle cannot name it.")
        return attrgetter("lifecycle"), (self.home,)

    def _named(self, name: str) -> Event:
        """The event of a pickle. Raises ``UnpicklingError`` where the table has none of that name now."""
        if name not in self.events:
            raise UnpicklingError(
                f"A pickle holds the event “{name}”, which is none of {', '.join(self.events)}."
            )
        return self.events[name]

    def _resolve(self, name: str, event: Event) -> Event:
        """The event with ``ANY`` expanded and sources and targets that are this table's own states."""
        sources: dict[str, str] = {}
        for source in event.sources:
            if isinstance(source, _Any):
                sources.update((s, s) for s in self.states.values() if not s.terminal)
            else:
                sources[source] = self.states.get(source, source)
        to: str | Branch = event.to
        if isinstance(to, Branch):
            own = Branch(otherwise=self.states.get(to.otherwise, to.otherwise))
            cases = tuple((case, self.states.get(state, state)) for case, state in to.cases)
            object.__setattr__(own, "cases", cases)
            to = own
        else:
            to = self.states.get(to, to)
        return event.resolved(self, name=name, sources=tuple(sources.values()), to=to)

    @property
    def snapshot(self) -> Snapshot | None:
        """When entries keep field values, or ``None``."""
        policy = self.options.get("snapshot")
        return policy if isinstance(policy, Snapshot) else None

    @property
    def retention(self) -> Retention | None:
        """How long records stay, or ``None`` for ever."""
        policy = self.options.get("retention")
        return policy if isinstance(policy, Retention) else None

    @cached_property
    def default_role(self) -> Role | None:
        """The role that a record's creator gets on it, or ``None``."""
        return next((role for role in self.roles.values() if role.default), None)

    @cached_property
    def edges(self) -> dict[str, set[str]]:
        """Each source with the states one event away."""
        return adjacency((row.source, row.target) for row in self.transitions)

    def effects(self) -> Iterator[tuple[Event, Effect]]:
        """Every effect with the event that runs it."""
        for event in self.events.values():
            for declared in event.effects:
                yield event, declared

    def events_from(self, state: str) -> tuple[Event, ...]:
        """The events that have ``state`` among their sources, in declared order."""
        return tuple(event for event in self.events.values() if state in event.sources)

    def reachable_from(self, state: str) -> frozenset[State]:
        """The states at least one event away from ``state``, however many events it takes.

        ``state`` itself is among them only where a way leads back to it.
        """
        return frozenset(self.states[value] for value in reachable(self.edges, state))

    def reversible(self, event: Event | str) -> bool:
        """Whether a way leads back from every target of ``event`` to every source that leads there.

        Raises ``UnknownEvent`` for an event that this table does not have.
        """
        name = event if isinstance(event, str) else event.name
        if name not in self.events or (isinstance(event, Event) and event.owner not in self.family):
            raise UnknownEvent(f"There is no event “{name}” here. The events are: {', '.join(self.events)}.")
        return all(
            row.source == row.target or row.source in reachable(self.edges, row.target)
            for row in self.transitions
            if row.event.name == name
        )

    def to_dict(self) -> dict[str, Any]:
        """The table as plain JSON values: what the fingerprint covers. No labels, no descriptions."""
        return {
            "v": 1,
            "states": [
                {"value": s.value, "initial": s.initial, "terminal": s.terminal}
                for s in sorted(self.states.values())
            ],
            "events": [_event(event) for _, event in sorted(self.events.items())],
            "roles": [_role(role) for _, role in sorted(self.roles.items())],
        }

    @cached_property
    def json(self) -> str:
        """The canonical JSON (RFC 8785) of ``to_dict()``: the bytes the fingerprint is made of.

        Keys are fixed ASCII names, so sorting by code point is sorting by UTF-16 code unit.
        """
        return json.dumps(self.to_dict(), sort_keys=True, ensure_ascii=False, separators=(",", ":"))

    @cached_property
    def fingerprint(self) -> str:
        """Hex SHA-256 of ``json``."""
        return hashlib.sha256(self.json.encode()).hexdigest()

    def __repr__(self) -> str:
        return f"<Table {len(self.states)} states, {len(self.events)} events, {self.fingerprint[:8]}>"


def _event(event: Event) -> dict[str, Any]:
    to = event.to
    return {
        "name": event.name,
        "sources": sorted(str(s) for s in event.sources),
        "targets": sorted(str(t) for t in event.targets),
        "branch": [[case.name, str(state)] for case, state in to.cases] if isinstance(to, Branch) else None,
        "otherwise": str(to.otherwise) if isinstance(to, Branch) else None,
        "guards": [g.name for g in event.guards],
        "effects": [
            {"name": e.name, "after_commit": e.after_commit, "retry": e.retry, "outside": e.outside}
            for e in event.effects
        ],
        "arguments": None if event.arguments is None else sorted(_form_fields(event.arguments)),
        "stores": sorted(event.stores),
        "compensating": event.compensating,
        "hidden": event.hidden,
        "not_by": sorted(str(e) for e in event.not_by),
        "after": None if event.after is None else event.after // timedelta(microseconds=1),
        "at": event.at,
    }


def _form_fields(form: type) -> Mapping[str, Any]:
    return getattr(form, "base_fields", {})


def _role(role: Role) -> dict[str, Any]:
    return {
        "value": role.value,
        "crud": sorted(flag.name or "" for flag in CRUD if flag in role.crud),
        "may": sorted(str(e) for e in role.may),
        "default": role.default,
    }
