"""Owns the judgement of one step by the definition it was made under.

Runs no guard: what can be known from the definition alone. Must not know hashes, the database or the record.
"""

from __future__ import annotations

import json
from typing import Any, Final

from fsm_lifecycle.ledger.entry import KINDS
from fsm_lifecycle.ledger.finding import shown
from fsm_lifecycle.ledger.hashing import sha256_hex
from fsm_lifecycle.ledger.raw_entry import RawEntry

_BEGINNINGS: Final = ("created", "adopted")
#: What may follow a deletion, beside a new beginning.
_AFTERWARDS: Final = ("redaction", "purged")

#: Why a step is not possible: what was expected, what was found.
Misstep = tuple[str, str]


class DefinitionMismatch(ValueError):
    """A stored definition is not what its fingerprint was made of, or no definition."""


class StoredTable:
    """A transition table as it was stored: what a step is judged by."""

    __slots__ = ("events", "initial", "states")

    def __init__(self, text: Any, fingerprint: Any) -> None:
        """Read it. Raises ``DefinitionMismatch`` with what the text really is."""
        try:
            found = sha256_hex(text.encode())
        except (AttributeError, UnicodeEncodeError):
            raise DefinitionMismatch("what is no text") from None
        if found != fingerprint:
            raise DefinitionMismatch(f"one with the fingerprint {found}")
        try:
            tree = json.loads(text)
            self.states = frozenset(state["value"] for state in tree["states"])
            self.initial = frozenset(state["value"] for state in tree["states"] if state["initial"] is True)
            self.events = {
                event["name"]: (
                    frozenset(event["sources"]),
                    frozenset(event["targets"]),
                    event["compensating"] is True,
                )
                for event in tree["events"]
            }
        except (ValueError, TypeError, KeyError, RecursionError):
            raise DefinitionMismatch("a text that describes no lifecycle") from None


def misstep(entry: RawEntry, before: Any, *, first: bool, table: StoredTable | None) -> Misstep | None:
    """Why an entry cannot follow the state ``before``; ``None`` when it can.

    ``first``: there is no entry before it. Without a table only what holds for every lifecycle is judged.
    """
    if entry.kind not in KINDS:
        return f"one of {', '.join(KINDS)}", f"the kind {shown(entry.kind)}"
    if entry.from_state != before:
        return f"a step from {shown(before)}", f"one from {shown(entry.from_state)}"
    if (entry.event is None) is (entry.kind == "transition"):
        return f"{'an' if entry.event is None else 'no'} event in “{entry.kind}”", shown(entry.event)
    if entry.kind == "transition":
        return _transition(entry, table)
    if entry.compensating is not False:
        return f"“{entry.kind}” to compensate nothing", shown(entry.compensating)
    if before is None and entry.kind not in _BEGINNINGS and (first or entry.kind not in _AFTERWARDS):
        return "a beginning: created or adopted", entry.kind
    return _without_event(entry, table)


def _transition(entry: RawEntry, table: StoredTable | None) -> Misstep | None:
    if entry.from_state is None or entry.to_state is None:
        return "a transition between two states", _step(entry)
    if table is None:
        return None
    event = table.events.get(entry.event) if isinstance(entry.event, str) else None
    if event is None:
        return f"an event of the table: {', '.join(map(shown, table.events))}", shown(entry.event)
    sources, targets, compensating = event
    if entry.from_state not in sources or entry.to_state not in targets:
        return f"“{entry.event}” to lead from {_any(sources)} to {_any(targets)}", _step(entry)
    if entry.compensating is not compensating:
        return f"“{entry.event}” to have compensating {compensating}", shown(entry.compensating)
    return None


def _without_event(entry: RawEntry, table: StoredTable | None) -> Misstep | None:
    kind, target = entry.kind, entry.to_state
    if kind in ("deleted", "purged"):
        return None if target is None else (f"“{kind}” to leave no state", _step(entry))
    if kind == "redaction":
        return None if target == entry.from_state else ("a redaction to keep the state", _step(entry))
    if target is None or (kind in _BEGINNINGS and entry.from_state is not None):
        return f"“{kind}” to lead {'from no' if target is not None else 'to a'} state", _step(entry)
    if table is None or kind == "remapped":  # an old migration may run under a newer definition
        return None
    allowed = table.initial if kind == "created" and table.initial else table.states
    return None if target in allowed else (f"“{kind}” to lead to {_any(allowed)}", _step(entry))


def _any(states: frozenset[Any]) -> str:
    return " or ".join(sorted(map(shown, states))) or "no state"


def _step(entry: RawEntry) -> str:
    return f"{shown(entry.event or entry.kind)}: {shown(entry.from_state)} → {shown(entry.to_state)}"
