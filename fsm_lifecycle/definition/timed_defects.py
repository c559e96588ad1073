"""The defects of events that fire by themselves, as far as the table alone shows them.

Must not know the model, nor Django's check framework.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

from fsm_lifecycle.definition.defect import Defect, listed, shown
from fsm_lifecycle.definition.event import Event
from fsm_lifecycle.definition.state import State
from fsm_lifecycle.definition.table import Table

#: Beyond it, the moment at which an event fires could not be told.
LONGEST_WAIT: Final = timedelta(days=365_000)


def timed_events(table: Table) -> Iterator[Defect]:
    """What is wrong with ``after=`` and ``at=``."""
    for event in table.events.values():
        if event.after is not None or event.at is not None:
            yield from _timed(event)


def _timed(event: Event) -> Iterator[Defect]:
    if event.after is not None and not timedelta(0) < event.after <= LONGEST_WAIT:
        yield Defect(
            "E080",
            f"Event {shown(event.name)} fires after={event.after}. It has to be more than none, and at most a thousand "
            f"years.",
            "Give the time that a record is to stay in its state: after=timedelta(days=5).",
        )
    required = required_arguments(event)
    if required:
        yield Defect(
            "E081",
            f"Event {shown(event.name)} is to fire by itself, but its form asks for {listed(required)}, and nobody is "
            f"there to answer.",
            "Make the fields of the form required=False, or declare an event of its own for the timer.",
        )
    if event.after is not None and event.at is not None:
        yield Defect(
            "E082",
            f"Event {shown(event.name)} has both after= and at=, so when it fires could not be told.",
            "Keep one, or declare two events.",
        )
    final = [s for s in event.sources if isinstance(s, State) and s.terminal]
    if final:
        yield Defect(
            "E084",
            f"Event {shown(event.name)} is to leave {listed(final)} by itself, and a terminal state is final: only "
            f"people take back what is done.",
            "Take the state out of its sources, or take after= and at= off the event.",
        )


def required_arguments(event: Event) -> list[str]:
    """The fields of its form without which it cannot be fired."""
    fields: Any = getattr(event.arguments, "base_fields", None) or {}
    return [name for name, field in fields.items() if field.required and not field.disabled]
