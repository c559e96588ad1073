"""Owns how an actor is named: kind, label, the agent's name, and in whose name it was done.

Must not know HTML.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.utils.text import capfirst

from fsm_lifecycle.append_only import key_text
from fsm_lifecycle.ledger.body import BodyMismatch
from fsm_lifecycle.models import TransitionLog
from fsm_lifecycle.presentation.keys import readable

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


#: Full names by the key of a user, as text.
Names = Mapping[str, str]


def names_of(entries: Iterable[TransitionLog]) -> Names:
    """The full names that the users behind these entries have today, in one query; none for those who have none."""
    keys: list[str] = []
    for entry in entries:
        if entry.actor_kind in ("user", "agent") and entry.actor_id:
            keys.append(entry.actor_id)
        if entry.actor_kind == "agent":
            keys += [str(_approval(entry).get("id") or "")]
    return full_names(key for key in keys if key)


def full_names(keys: Iterable[str], using: str | None = None) -> Names:
    """What the users with these keys, as text, are called today; none for who is gone or has no full name."""
    user: Any = get_user_model()
    wanted = sorted(set(keys))
    if not wanted or not hasattr(user, "get_full_name"):
        return {}
    users = user._base_manager.using(using)
    found = {
        key_text(one.pk): str(one.get_full_name())
        for one in users.filter(pk__in=readable(users.all(), wanted))
    }
    return {key: name for key, name in found.items() if name}


def who_did(entry: TransitionLog, names: Names | None = None) -> Who:
    """Who is behind a log entry. Redacted or unreadable names are said to be so.

    The log keeps what the user was called then, which is the user name; ``names`` gives full names of today.
    """
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
    label = (names or {}).get(entry.actor_id, label)
    if kind == "agent":
        label = f"{agent_name(str(body.get('agent') or ''))} for {label}"
    if isinstance(behind, dict) and behind.get("label"):
        label = f"{label}, acting for {behind['label']}"
    return Who(kind, label)


def approver(entry: TransitionLog, names: Names | None = None) -> str:
    """Who approved what an agent asked for; empty where nobody had to, or the name is redacted."""
    given = _approval(entry)
    label = str(given.get("label") or "")
    return (names or {}).get(str(given.get("id") or ""), label) if label else ""


def _approval(entry: TransitionLog) -> Mapping[str, Any]:
    try:
        field = entry.fields.get("approval")
    except BodyMismatch:
        return {}
    value = None if field is None or field.redacted else field.value
    return value if isinstance(value, dict) else {}


def agent_name(key: str) -> str:
    """An agent's key in words: “Invoice agent” for ``billing.invoice_agent`` and for ``billing.invoice``."""
    words = key.rpartition(".")[2].replace("_", " ").strip()
    return str(capfirst(words if words.endswith("agent") else f"{words} agent".strip()))
