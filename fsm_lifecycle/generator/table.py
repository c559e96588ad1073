"""The lifecycle of a new model: states, events and roles, read from the command line.

A table is built from what was read, and its own defects are the messages: they are written once, in
``definition.defects``. Must not know the fields of the model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from fsm_lifecycle.access.codenames import MAX_CODENAME
from fsm_lifecycle.definition import ANY, CRUD, Event, Role, State, Table
from fsm_lifecycle.definition.defect import listed, nearest, shown
from fsm_lifecycle.definition.defects import defects_of
from fsm_lifecycle.definition.graph import adjacency, reachable
from fsm_lifecycle.definition.state import MAX_VALUE_LENGTH
from fsm_lifecycle.definition.table import OPTIONS
from fsm_lifecycle.generator import names

#: What a lifecycle has when no states were named.
DEFAULT_STATES = "draft:initial,active,closed:terminal"

#: Words that say how a state looks; any other gets its tone from initial and terminal.
TONES = {
    **dict.fromkeys(
        "cancelled canceled rejected declined refused withdrawn void voided expired".split(), "stop"
    ),
    **dict.fromkeys("waiting pending on_hold paused".split(), "wait"),
    **dict.fromkeys("overdue blocked failed escalated".split(), "alert"),
}
#: Roles that only look, by their names.
READERS = frozenset("viewer reader auditor observer guest".split())

_EXAMPLE = '"pay:sent|overdue>paid"'


@dataclass(frozen=True, slots=True)
class NewState:
    name: str
    initial: bool = False
    terminal: bool = False

    @property
    def tone(self) -> str:
        """Its tone, where its name tells more than initial and terminal do."""
        return TONES.get(self.name, "")


@dataclass(frozen=True, slots=True)
class NewEvent:
    name: str
    sources: tuple[str, ...]
    """Names of states; ``("*",)`` for every state that is not terminal."""
    target: str


@dataclass(frozen=True, slots=True)
class NewRole:
    name: str
    crud: CRUD
    fires: bool
    """Whether it may fire every event, or none."""
    default: bool = False


@dataclass(frozen=True, slots=True)
class NewTable:
    states: tuple[NewState, ...] = ()
    events: tuple[NewEvent, ...] = ()
    roles: tuple[NewRole, ...] = ()
    notes: list[str] = field(default_factory=list)
    """What its author should know of."""

    @property
    def initial(self) -> NewState:
        return next(state for state in self.states if state.initial)

    def compiled(self) -> Table:
        """The table that the generated class will have."""
        states = {s.name: State(s.name, initial=s.initial, terminal=s.terminal) for s in self.states}
        members: dict[str, Any] = dict(states)
        events: dict[str, Any] = {}
        for event in self.events:
            sources = [ANY if name == "*" else states[name] for name in event.sources]
            events[event.name] = Event(*sources, to=states[event.target])
        members |= events
        for role in self.roles:
            members[role.name] = Role(role.name, crud=role.crud, may=events if role.fires else ())
        return Table(type("Lifecycle", (), members))


def read(states: str | None, events: Sequence[str], roles: str, problems: list[str]) -> NewTable:
    """The table asked for. What is wrong with it is added to ``problems``."""
    if states is None and events:
        problems.append(
            "--events needs the states it speaks of. Add --states draft:initial,sent,paid:terminal."
        )
        return NewTable()
    before = len(problems)
    if states is not None and not all(part.strip() for part in states.split(",")):
        problems.append(
            f"--states {shown(states)} has no name where one is expected. Write draft:initial,sent,paid:terminal."
        )
    found = _states(states or DEFAULT_STATES, problems)
    if not events and len(problems) == before:
        found = _with_an_end(found)
    arrows = _events(events, found, problems) if events else _chain(found)
    notes: list[str] = []
    if len(problems) == before:
        arrows += _ways_to_the_lost(found, arrows, notes)
    actors = _roles(roles, problems)
    _one_name_each(found, arrows, actors, problems)
    table = NewTable(tuple(found), tuple(arrows), tuple(actors), notes)
    if len(problems) > before:
        return table
    for defect in defects_of(table.compiled()):
        (problems if defect.level == "error" else notes).append(f"{defect.message} {defect.hint}")
    return table


def _states(given: str, problems: list[str]) -> list[NewState]:
    found: list[NewState] = []
    for text in _parts(given):
        name, *flags = text.split(":")
        if fault := names.fault_of(name, longest=MAX_VALUE_LENGTH):
            problems.append(f"State {shown(name)} {fault}.")
        for flag in flags:
            if flag not in ("initial", "terminal"):
                problems.append(
                    f"State {shown(name)} is {shown(flag)}, which no state can be. Write {name}:initial or "
                    f"{name}:terminal.{nearest(flag, ['initial', 'terminal'])}"
                )
        found.append(NewState(name, "initial" in flags, "terminal" in flags))
    beginnings = [state.name for state in found if state.initial]
    if len(beginnings) > 1:
        problems.append(f"More than one state is initial: {listed(beginnings)}. Records begin in one.")
    if len(found) < 2:
        problems.append(
            "A lifecycle needs two states or more. Write --states draft:initial,sent,paid:terminal."
        )
    elif not beginnings:
        found[0] = NewState(found[0].name, True, found[0].terminal)
    return found


def _with_an_end(states: list[NewState]) -> list[NewState]:
    """The last state is final where no state is, so that the chain ends somewhere."""
    if any(state.terminal for state in states) or states[-1].initial:
        return states
    return [*states[:-1], NewState(states[-1].name, terminal=True)]


def _chain(states: list[NewState]) -> list[NewEvent]:
    """Forward through the open states, and from the last of them to each final one."""
    start = [state.name for state in states if state.initial]
    way = start[:1] + [state.name for state in states if not state.initial and not state.terminal]
    steps = list(pairwise(way))
    steps += [(way[-1], state.name) for state in states if state.terminal and not state.initial]
    return [NewEvent(f"mark_{target}", (source,), target) for source, target in steps]


def _ways_to_the_lost(states: list[NewState], events: list[NewEvent], notes: list[str]) -> list[NewEvent]:
    """An event to each state that none leads to, from the open state before it: a table without it is an error."""
    start = next(state.name for state in states if state.initial)
    added: list[NewEvent] = []
    for place, state in enumerate(states):
        open_states = [s.name for s in states if not s.terminal]
        edges = [
            (source, event.target)
            for event in [*events, *added]
            for source in (open_states if "*" in event.sources else event.sources)
        ]
        if state.name != start and state.name not in reachable(adjacency(edges), start):
            earlier = [s.name for s in states[:place] if not s.terminal]
            source = earlier[-1] if earlier else start
            event = NewEvent(f"mark_{state.name}", (source,), state.name)
            added.append(event)
            notes.append(
                f"No event led to {shown(state.name)}, so there is one more: {event.name}, from {shown(source)}. "
                f"Change it in models.py if it comes from elsewhere."
            )
    return added


def _events(given: Sequence[str], states: list[NewState], problems: list[str]) -> list[NewEvent]:
    known = [state.name for state in states]
    found = []
    for text in (part for item in given for part in _parts(item)):
        name, colon, way = text.partition(":")
        sources, arrow, target = way.partition(">")
        if not (colon and arrow and sources and target):
            problems.append(f"Event {shown(text)} is not written as NAME:FROM>TO, for example {_EXAMPLE}.")
            continue
        if fault := names.fault_of(name, longest=MAX_CODENAME - len("fire_")):
            problems.append(f"Event {shown(name)} {fault}.")
        named = tuple(dict.fromkeys(source.strip() for source in sources.split("|")))
        unknown = [n for n in (*named, target) if n not in known and not (n == "*" and n in named)]
        if unknown:
            problems.append(
                f"Event {shown(name)} speaks of {listed(dict.fromkeys(unknown))}. The states are {listed(known)}; * "
                f"stands for every state that is not terminal.{nearest(unknown[0], known)}"
            )
        elif "*" in named and len(named) > 1:
            problems.append(
                f"Event {shown(name)}: * already stands for every open state. Leave the others out."
            )
        else:
            found.append(NewEvent(name, named, target))
    return found


def _roles(given: str, problems: list[str]) -> list[NewRole]:
    found: list[NewRole] = []
    for name in _parts(given):
        if fault := names.fault_of(name, longest=MAX_CODENAME - len("role_")):
            problems.append(f"Role {shown(name)} {fault}.")
        if name in READERS:
            found.append(NewRole(name, CRUD.READ, fires=False))
        elif any(role.fires for role in found):
            found.append(NewRole(name, CRUD.READ | CRUD.UPDATE, fires=True))
        else:
            found.append(NewRole(name, CRUD.ALL, fires=True, default=True))
    if found and not any(role.fires for role in found):
        problems.append(
            f"The roles {listed(role.name for role in found)} only read, so nobody could make a record. Name one that "
            f"may: --roles owner,{found[0].name}."
        )
    return found


def _one_name_each(
    states: list[NewState], events: list[NewEvent], roles: list[NewRole], problems: list[str]
) -> None:
    """They are all attributes of one class."""
    told = [("state", s.name) for s in states] + [("event", e.name) for e in events]
    told += [("role", r.name) for r in roles]
    for name, count in Counter(name for _, name in told).items():
        if count > 1:
            kinds = [kind for kind, other in told if other == name]
            problems.append(
                f"{shown(name)} is the name of {' and '.join(names.with_article(kind) for kind in kinds)}. Each needs "
                f"a name of its own."
            )
        elif name in OPTIONS:
            kind = next(kind for kind, other in told if other == name)
            problems.append(
                f"The {kind} {shown(name)} has the name of an option of class Lifecycle ({', '.join(OPTIONS)}). Call "
                f"it something else."
            )


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
