"""Owns an event of a table in words: where it leads, what is asked before, what it does. Must not know the page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fsm_lifecycle.admin.section.connections import fired_by
from fsm_lifecycle.definition import Effect, Event
from fsm_lifecycle.presentation.badges import Badge, badge
from fsm_lifecycle.presentation.durations import in_words


@dataclass(frozen=True, slots=True)
class Result:
    """One effect of an event."""

    code: str
    """Its name; empty where it fires another event."""
    note: str
    """What has to be said of it."""
    fires: str = ""
    """The event that it fires: ``Contract: Activate``."""
    model: str | None = None
    """The label of that event's model, where it was said."""


@dataclass(frozen=True, slots=True)
class Told:
    """One event in the table."""

    label: str
    description: str
    tags: tuple[tuple[str, str], ...]
    """Short words about it, each with its class."""
    sources: tuple[Badge, ...]
    targets: tuple[Badge, ...]
    guards: tuple[str, ...]
    effects: tuple[Result, ...]


def told(event: Event, table: Any) -> Told:
    """An event in words."""
    tags: list[tuple[str, str]] = []
    if event.compensating:
        tags.append(("compensating", "is-warn"))
    if event.after is not None:
        tags.append((f"by itself after {in_words(event.after)}", ""))
    if event.at:
        tags.append((f"by itself at {event.at.replace('_', ' ')}", ""))
    if event.not_by:
        others = [str(getattr(table.events.get(str(one)), "label", one)) for one in event.not_by]
        tags.append((f"not by who did {', '.join(others)}", ""))
    return Told(
        label=str(event.label),
        description=str(event.description),
        tags=tuple(tags),
        sources=tuple(badge(table, str(source)) for source in event.sources),
        targets=tuple(badge(table, str(target)) for target in event.targets),
        guards=tuple(str(guard.label) for guard in event.guards),
        effects=tuple(_effect(effect) for effect in event.effects),
    )


def _effect(effect: Effect) -> Result:
    facts = {"after commit": effect.after_commit, "tried again": effect.retry, "outside": effect.outside}
    notes = ", ".join(word for word, holds in facts.items() if holds)
    if effect.connection is None:
        return Result(effect.name, notes)
    target, label = fired_by(effect.connection)
    return Result("", notes, label, None if target is None else target._meta.label_lower)
