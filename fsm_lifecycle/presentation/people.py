"""Owns how an actor is named: kind, label, the agent's name, and in whose name it was done.

Must not know HTML.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from fsm_lifecycle.access.actors import identify
from fsm_lifecycle.ledger.body import BodyMismatch
from fsm_lifecycle.models import TransitionLog

#: What a screen reader is told where others see an icon.
KINDS: Final = {"user": "Person", "agent": "Agent", "system": "System", "unknown": "Unknown"}


@dataclass(frozen=True, slots=True)
class Who:
    """An actor as people see it."""

    kind: str
    """``user agent system unknown``."""
    label: str

    @property
    def word(self) -> str:
        """The kind in words."""
        return KINDS.get(self.kind, KINDS["unknown"])


def who_did(entry: TransitionLog) -> Who:
    """Who is behind a log entry. Redacted or unreadable names are said to be so."""
    kind = entry.actor_kind if entry.actor_kind in KINDS else "unknown"
    if kind == "system":
        return Who(kind, entry.actor_id)
    try:
        actor = entry.fields.get("actor")
        if actor is not None and actor.redacted:
            return Who(kind, "redacted")
        body: Any = actor.value if actor is not None else None
        body = body if isinstance(body, dict) else {}
        behind = entry.on_behalf_of
    except BodyMismatch:
        return Who(kind, f"{KINDS[kind].lower()} {entry.actor_id}".strip())
    label = str(body.get("label") or "")
    if not label:
        return Who(
            kind, f"{KINDS[kind].lower()} {entry.actor_id}" if entry.actor_id else "nobody in particular"
        )
    if kind == "agent":
        label = f"{body.get('agent') or 'Agent'} for {label}"
    if isinstance(behind, dict) and behind.get("label"):
        label = f"{label}, acting for {behind['label']}"
    return Who(kind, label)


def who_is(actor: Any) -> Who:
    """Who an actor of this moment is: a user, ``System`` or an agent."""
    identity = identify(actor)
    label = f"{identity.agent} for {identity.label}" if identity.agent else identity.label
    return Who(identity.kind, label)
