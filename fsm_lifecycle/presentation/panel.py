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
from fsm_lifecycle.presentation.by_itself import by_itself
from fsm_lifecycle.presentation.holds import holds_on
from fsm_lifecycle.presentation.timeline import Item


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
    """When it came to its state, as far as that is known; else when that was recorded."""
    recorded: datetime | None
    """When that was recorded, where it was not at that time."""
    by: str
    """How it came to its state, and by whom: ``moved by Ada``; empty where that is not known."""
    final: bool
    offered: tuple[Offered, ...]
    denied: tuple[Denied, ...]
    by_itself: tuple[str, ...] = ()
    """What will fire by itself, a sentence each."""
    holds: tuple[str, ...] = ()
    """The legal holds on it, a sentence each."""


def panel(
    record: Any,
    actor: Any,
    url: Callable[[Event], str],
    led: Item | None = None,
    events: Collection[Event] | None = None,
) -> Panel:
    """The head of a record's page for ``actor``.

    ``led``: what led it to its state, if that is known. ``events``: those that the page has, or all of them.
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
        since=led.at if led is not None else getattr(record, SINCE),
        recorded=led.recorded if led is not None else None,
        by=led.led_by if led is not None else "",
        final=state is not None and state.terminal and not offered and not denied,
        offered=tuple(offered),
        denied=tuple(denied),
        by_itself=by_itself(record),
        holds=holds_on(record, actor),
    )
