"""Owns which lifecycles fire each other's events, in both directions, and what happens if one is refused.

Must not know how that is drawn.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from fsm_lifecycle.admin.section.log_filter import name_of
from fsm_lifecycle.definition.effects import Connection
from fsm_lifecycle.definition.member import in_words
from fsm_lifecycle.registry import lifecycles

_REFUSED: Final = {
    "rollback": "If that is refused, the {name} stays where it is.",
    "log": "If that is not allowed, the {name} moves without it.",
    "retry": "Tried again later if refused.",
}


@dataclass(frozen=True, slots=True)
class Link:
    """One event that fires another."""

    source: Any
    """The model whose event fires."""
    source_label: str
    """``Ticket: Require upgrade``."""
    target: Any
    """The model whose event is fired; ``None`` where that was not said."""
    target_label: str
    refused: str
    """What happens if it is refused, as a sentence."""


def connections(model: Any) -> list[Link]:
    """The connections of a model: those of its own events, then those of others to it."""
    own = [link for link in _links() if link.source is model]
    return own + [link for link in _links() if link.target is model and link.source is not model]


def fired_by(connection: Connection) -> tuple[Any, str]:
    """The model whose event is fired, ``None`` where that is not known, and the event in words."""
    wanted = connection.model.lower()
    target: Any = next((model for model in lifecycles() if model._meta.label_lower == wanted), None)
    fired = None if target is None else target._lifecycle.table.events.get(connection.event)
    label = str(fired.label) if fired is not None else in_words(connection.event)
    if target is None:
        return None, f"{label} on {connection.model or 'another record'}"
    return target, f"{name_of(target)}: {label}"


def _links() -> Iterator[Link]:
    for model in lifecycles():
        for event, effect in model._lifecycle.table.effects():
            if effect.connection is None:
                continue
            target, label = fired_by(effect.connection)
            yield Link(
                source=model,
                source_label=f"{name_of(model)}: {event.label}",
                target=target,
                target_label=label,
                refused=_REFUSED[effect.connection.on_failure].format(name=str(model._meta.verbose_name)),
            )
