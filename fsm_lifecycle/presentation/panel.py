"""Owns the head of a record's page: its state, since when and by whom, what can be done, and why the rest cannot.

Asks ``decide()`` for each event and renders what it says. Must not know HTML or URLs.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fsm_lifecycle.definition import Event
from fsm_lifecycle.engine.binding import SINCE
from fsm_lifecycle.presentation.badges import Badge, badge
from fsm_lifecycle.presentation.people import Who


@dataclass(frozen=True, slots=True)
class Offered:
    """An event that may be fired now, as far as can be told without its arguments."""

    name: str
    label: str
    url: str
    targets: tuple[Badge, ...]
    """Where it leads; several where a branch decides."""
    description: str


@dataclass(frozen=True, slots=True)
class Denied:
    """An event that may not be fired now, with every reason."""

    name: str
    label: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """What the page of a record begins with."""

    kind: str
    """What kind of record it is: ``ticket``."""
    state: Badge
    description: str
    """One sentence on the state, or empty."""
    since: datetime
    by: Who | None
    final: bool
    offered: tuple[Offered, ...]
    denied: tuple[Denied, ...]


def panel(
    record: Any,
    actor: Any,
    url: Callable[[Event], str],
    by: Who | None = None,
    events: Collection[Event] | None = None,
) -> Panel:
    """The head of a record's page for ``actor``.

    ``by``: who led it to its state, if that is known. ``events``: those that the page has, or all of them.
    """
    binding = type(record)._lifecycle
    table = binding.table
    value = getattr(record, binding.state_name)
    state = table.states.get(value)
    offered: list[Offered] = []
    denied: list[Denied] = []
    for event in table.events_from(value):
        if events is not None and event not in events:
            continue
        decision = record.decide(event, actor=actor)
        if decision.allowed:
            targets = (decision.target,) if decision.target is not None else event.targets
            shown = tuple(badge(table, target) for target in targets)
            offered.append(Offered(event.name, str(event.label), url(event), shown, str(event.description)))
        elif not event.hidden:
            reasons = tuple(dict.fromkeys(denial.reason for denial in decision.denials))
            denied.append(Denied(event.name, str(event.label), reasons))
    return Panel(
        kind=str(binding.model._meta.verbose_name),
        state=badge(table, value),
        description=str(state.description) if state is not None else "",
        since=getattr(record, SINCE),
        by=by,
        final=state is not None and state.terminal and not offered and not denied,
        offered=tuple(offered),
        denied=tuple(denied),
    )
