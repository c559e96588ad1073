"""Owns how risky an event is, by the table alone, and whether a person has to approve it. Must not know any agent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fsm_lifecycle.definition import Event, Table

NEVER: Final = "never"
ALWAYS: Final = "always"
FOUR_EYES: Final = "four_eyes"

#: From the mildest to the strictest.
MODES: Final = (NEVER, ALWAYS, FOUR_EYES)


@dataclass(frozen=True, slots=True)
class Risk:
    """One reason why a person should look first."""

    code: str
    """``terminal``, ``no_way_back``, ``outside``, ``fires`` or ``compensating``."""
    text: str


def risks(table: Table, event: Event) -> tuple[Risk, ...]:
    """Why an event is risky; empty when it is not."""
    found: list[Risk] = []
    finals = [
        str(table.states[t].label) for t in event.targets if t in table.states and table.states[t].terminal
    ]
    if finals:
        found.append(Risk("terminal", f"{' and '.join(finals)} is final."))
    if lost := _lost(table, event):
        only_some = len(lost) < len({row.source for row in table.transitions if row.event.name == event.name})
        where = f" to {' or '.join(lost)}" if only_some else ""
        found.append(Risk("no_way_back", f"No event leads back{where}."))
    for effect in event.effects:
        if effect.connection is not None:
            found.append(Risk("fires", f"{effect.label}."))
        elif effect.outside:
            found.append(Risk("outside", f"{str(effect.label).rstrip('.')}. It cannot be called back."))
    if event.compensating:
        found.append(Risk("compensating", "It makes good what was final."))
    return tuple(found)


def _lost(table: Table, event: Event) -> list[str]:
    """The states that it starts from and to which no way leads back."""
    return [
        str(row.source.label)
        for row in table.transitions
        if row.event.name == event.name
        and row.source != row.target
        and row.source not in table.reachable_from(row.target)
    ]


def default_mode(table: Table, event: Event) -> str:
    """Whether a person approves where the agent says nothing: for risky events."""
    return ALWAYS if risks(table, event) else NEVER


def strictest(modes: list[str]) -> str:
    """The strictest of some modes."""
    return max(modes, key=MODES.index, default=NEVER)
