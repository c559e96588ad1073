"""Owns the ceiling of an agent in words: what it can reach, what it cannot and why, and what needs a person.

Everything is read off the table, the agent's list and the user's rights. Must not know HTML.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fsm_lifecycle import registry as tables
from fsm_lifecycle.admin.section.log_filter import name_of
from fsm_lifecycle.agents.profile import Profile, Scope
from fsm_lifecycle.agents.reach import Reach, reach
from fsm_lifecycle.agents.risk import FOUR_EYES, NEVER, risks
from fsm_lifecycle.definition import Event
from fsm_lifecycle.presentation.badges import Badge, badge


@dataclass(frozen=True, slots=True)
class Ceiling:
    """How far an agent can bring records of one lifecycle."""

    name: str
    kind: str
    alone: tuple[Badge, ...]
    approved: tuple[Badge, ...]
    beyond: tuple[Badge, ...]
    why: tuple[str, ...]
    caused: bool

    @property
    def nowhere(self) -> bool:
        """Whether it can move nothing."""
        return not self.alone and not self.approved


@dataclass(frozen=True, slots=True)
class Needs:
    """An event for which a person is needed, or for which none is although it is risky."""

    label: str
    who: str
    tag: str
    why: str
    warns: bool


def ceilings(profile: Profile, user: Any) -> list[Ceiling]:
    """The ceiling for each lifecycle that the agent reaches."""
    return [_ceiling(one, profile.scope_of(one.lifecycle)) for one in reach(profile, user)]


def _ceiling(found: Reach, scope: Scope | None) -> Ceiling:
    model: Any = tables.get(found.lifecycle)
    table = model.lifecycle
    reached = {state.value for state in (*found.alone, *found.approved)}
    beyond = [state for state in table.states.values() if state.value not in reached]
    may = {*found.events, *found.with_approval}
    why: list[str] = []
    if scope is not None and not found.caused:
        why = [f"{state.label}: {_why(scope, state.value, may)}" for state in beyond]
    return Ceiling(
        name=name_of(model),
        kind=str(model._meta.verbose_name),
        alone=tuple(badge(table, state) for state in found.alone),
        approved=tuple(badge(table, state) for state in found.approved),
        beyond=tuple(badge(table, state) for state in beyond),
        why=tuple(why),
        caused=found.caused,
    )


def _why(scope: Scope, state: str, may: set[str]) -> str:
    leading = [event for event in scope.table.events.values() if state in map(str, event.targets)]
    if not leading:
        return "no event leads there."
    left_out = [str(event.label) for event in leading if event.name not in scope.events]
    lacking = [event for event in leading if event.name in scope.events and event.name not in may]
    parts = []
    if left_out:
        parts.append(f"the agent’s list of events leaves out {' and '.join(left_out)}")
    if lacking:
        parts.append(f"you may not {' or '.join(_needs_role(scope, event) for event in lacking)}")
    return f"{'; '.join(parts)}."


def _needs_role(scope: Scope, event: Event) -> str:
    roles = [str(role.label) for role in scope.table.roles.values() if event.name in map(str, role.may)]
    label = str(event.label).lower()
    return f"{label} (the role {' or '.join(roles)} may)" if roles else label


def needs(profile: Profile, user: Any) -> list[Needs]:
    """What needs a person, and what is risky without one."""
    return [one for scope in profile.scopes for one in _needs_of(scope)]


def _needs_of(scope: Scope) -> Iterator[Needs]:
    for name in scope.events:
        event = scope.table.events[name]
        mode, found = scope.approval[name], risks(scope.table, event)
        reasons = " ".join(risk.text for risk in found)
        if mode == NEVER and found:
            yield Needs(
                str(event.label),
                "nobody",
                "is-error",
                f"Set to “never”, though: {reasons} Worth a second look.",
                warns=True,
            )
        elif mode == FOUR_EYES:
            yield Needs(
                str(event.label),
                "another person",
                "is-warn",
                f"{reasons} Four eyes: you may not approve it yourself.".strip(),
                warns=False,
            )
        elif mode != NEVER:
            why = reasons or "Set by the agent."
            yield Needs(str(event.label), "a person", "is-warn", why, warns=False)


def why_a_person(scope: Scope, event: str) -> str:
    """Why an event's tool makes a proposal; empty where it does not."""
    if scope.approval.get(event, NEVER) == NEVER:
        return ""
    found = " ".join(risk.text for risk in risks(scope.table, scope.table.events[event]))
    return found or "The agent is declared so."
