"""Owns how a state is named and toned, also one that the table no longer has.

Must not know HTML.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fsm_lifecycle.definition import State
from fsm_lifecycle.definition.table import Table


@dataclass(frozen=True, slots=True)
class Badge:
    """A state as people see it."""

    value: str
    label: str
    tone: str
    """One of ``new active wait alert done stop``."""
    known: bool = True
    """Whether the table has it today."""


def badge(table: Table, value: Any) -> Badge:
    """The badge of a stored value."""
    if isinstance(value, Badge):
        return value
    state = value if isinstance(value, State) else table.states.get(str(value))
    if state is None:
        return Badge(str(value), str(value), "active", known=False)
    return Badge(state.value, str(state.label), state.tone)
