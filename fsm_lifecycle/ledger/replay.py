"""Replay: what a record's entries say it went through, folded in order.

Runs no guard and no effect, and judges each step by the table it was made under. Must not know the record's
own row, nor the table in the code.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fsm_lifecycle.ledger.chain import hashed_values
from fsm_lifecycle.ledger.definitions import LifecycleDefinition
from fsm_lifecycle.ledger.hashing import entry_hash, genesis


@dataclass(frozen=True, slots=True)
class Fault:
    """A step that does not follow from the one before."""

    code: str
    """``ENTRY_HASH PREV_MISMATCH SEQUENCE_GAP ILLEGAL_TRANSITION DEFINITION_MISSING``."""
    sequence: int
    expected: str
    found: str


@dataclass(frozen=True, slots=True)
class Replay:
    """What folding the entries gave."""

    state: str | None
    """The state after the last entry; ``None`` before the first and after a deletion."""
    sequence: int
    """The sequence of the last entry, 0 when there is none."""
    head: str
    """The hash of the last entry, empty when there is none."""
    recorded_at: datetime | None
    """When the last entry was recorded."""
    values: dict[str, Any]
    """Field values as the last snapshot kept them; empty without one."""
    entries: int
    faults: tuple[Fault, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether every step followed from the one before."""
        return not self.faults


def state_at(log: Any, when: datetime | int) -> str | None:
    """The state after the last entry up to a sequence or moment (inclusive), from a record's entries."""
    last = _until(log, when).order_by("-sequence").values_list("to_state", flat=True).first()
    return None if last is None else str(last)


def replay(log: Any, until: datetime | int | None = None) -> Replay:
    """Fold a record's entries, oldest first, up to a sequence or moment (inclusive)."""
    state: str | None = None
    head, sequence, count = "", 0, 0
    values: dict[str, Any] = {}
    recorded_at: datetime | None = None
    faults: list[Fault] = []
    tables: dict[tuple[str, str], Any] = {}
    rows = log if until is None else _until(log, until)
    for entry in rows.order_by("sequence").iterator(chunk_size=500):
        found = entry_hash(hashed_values(entry.__dict__))
        previous = head or genesis(entry.model_label, entry.object_pk)
        for code, want, have in (
            ("SEQUENCE_GAP", str(sequence + 1), str(entry.sequence)),
            ("PREV_MISMATCH", previous, entry.prev_hash),
            ("ENTRY_HASH", found, entry.entry_hash),
            ("ILLEGAL_TRANSITION", str(state), str(entry.from_state)),
        ):
            if want != have:
                faults.append(Fault(code, entry.sequence, want, have))
        faults += _judged(entry, tables, log.db)
        state, head, sequence = entry.to_state, entry.entry_hash, entry.sequence
        recorded_at, count = entry.recorded_at, count + 1
        if entry.snapshot is not None:
            values = dict(entry.snapshot)
    return Replay(state, sequence, head, recorded_at, values, count, tuple(faults))


def _until(log: Any, when: datetime | int) -> Any:
    return log.filter(sequence__lte=when) if isinstance(when, int) else log.filter(recorded_at__lte=when)


def _judged(entry: Any, tables: dict[tuple[str, str], Any], using: str) -> list[Fault]:
    """What the definition that the entry names says against it."""
    key = (entry.model_label, entry.definition)
    if key not in tables:
        stored = (
            LifecycleDefinition.objects.using(using).filter(model_label=key[0], fingerprint=key[1]).first()
        )
        tables[key] = json.loads(stored.json) if stored else None
    table = tables[key]
    if table is None:
        return [Fault("DEFINITION_MISSING", entry.sequence, "a stored definition", entry.definition)]
    if entry.kind != "transition":
        return []
    for event in table["events"]:
        if event["name"] == entry.event:
            if entry.from_state in event["sources"] and entry.to_state in event["targets"]:
                return []
            break
    step = f"{entry.event}: {entry.from_state} → {entry.to_state}"
    return [Fault("ILLEGAL_TRANSITION", entry.sequence, "a transition of the table", step)]
