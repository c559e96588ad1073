"""Owns the versions of a lifecycle's table that the log knows, and what changed from one to the next, in words.

Must not know how a definition is stored, nor how the words are shown.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fsm_lifecycle.definition.member import in_words
from fsm_lifecycle.ledger.definitions import LifecycleDefinition


@dataclass(frozen=True, slots=True)
class Version:
    """One table that entries were made under."""

    fingerprint: str
    since: datetime
    current: bool
    changes: tuple[str, ...]
    """What differs from the version before it; empty for the first."""


def versions(label: str, fingerprint: str, most: int = 50) -> list[Version]:
    """The versions of a model's table, newest first. ``fingerprint``: that of the present one."""
    stored = LifecycleDefinition.objects.filter(model_label=label).order_by("-first_seen", "-pk")
    rows = list(stored[: most + 1])
    found = []
    for place, row in enumerate(rows[:most]):
        before = rows[place + 1] if place + 1 < len(rows) else None
        told = () if before is None else tuple(changes(_read(before.json), _read(row.json)))
        found.append(Version(row.fingerprint, row.first_seen, row.fingerprint == fingerprint, told))
    return found


def _read(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """What differs between two definitions, a few words for each difference."""
    yield from _members("state", before.get("states", ()), after.get("states", ()), "value", _state)
    yield from _members("event", before.get("events", ()), after.get("events", ()), "name", _event)
    yield from _members("role", before.get("roles", ()), after.get("roles", ()), "value", _role)


def _members(kind: str, before: Any, after: Any, name: str, differ: Any) -> Iterator[str]:
    old = {one[name]: one for one in before}
    new = {one[name]: one for one in after}
    for key in sorted(new.keys() - old.keys()):
        yield f"{kind} {in_words(key)} added"
    for key in sorted(old.keys() - new.keys()):
        yield f"{kind} {in_words(key)} removed"
    for key in sorted(new.keys() & old.keys()):
        if new[key] != old[key]:
            yield from differ(in_words(key), old[key], new[key])


def _state(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    if old.get("terminal") != new.get("terminal"):
        yield f"{name} is {'final' if new.get('terminal') else 'no longer final'}"
    if old.get("initial") != new.get("initial"):
        yield f"{name} is {'the first state' if new.get('initial') else 'no longer the first state'}"


def _event(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    told = False
    for field, one in (
        ("sources", "source"), ("targets", "target"), ("guards", "guard"), ("effects", "effect"),
    ):  # fmt: skip
        mine, theirs = _names(old.get(field)), _names(new.get(field))
        for word in [w for w in theirs if w not in mine]:
            told = True
            yield f"{one} {in_words(word)} added to {name}"
        for word in [w for w in mine if w not in theirs]:
            told = True
            yield f"{one} {in_words(word)} removed from {name}"
    if not told:
        yield f"{name} changed"


def _role(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for word in sorted(set(new.get("may", ())) - set(old.get("may", ()))):
        yield f"{name} may {in_words(word)}"
    for word in sorted(set(old.get("may", ())) - set(new.get("may", ()))):
        yield f"{name} may no longer {in_words(word)}"
    if old.get("crud") != new.get("crud"):
        rights = ", ".join(str(flag).lower() for flag in new.get("crud", ())) or "nothing"
        yield f"{name} may {rights} records"


def _names(members: Any) -> list[str]:
    return [str(one["name"] if isinstance(one, dict) else one) for one in members or ()]
