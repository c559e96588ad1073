"""Replay: what a record's entries say it went through, folded in order.

Runs no guard and no effect, and judges each step by the definition it was made under. Must not know the record's
own row, nor the table in the code.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connections

from fsm_lifecycle.ledger.body import BodyMismatch
from fsm_lifecycle.ledger.folding import Fault, Fold, Tables
from fsm_lifecycle.ledger.raw_entry import of_instance

__all__ = ["Fault", "Replay", "replay", "state_at"]


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
    fold: Fold | None = None
    values: dict[str, Any] = {}
    recorded_at: datetime | None = None
    faults: list[Fault] = []
    rows = log if until is None else _until(log, until)
    for entry in rows.order_by("sequence").iterator(chunk_size=500):
        if fold is None:
            fold = Fold(entry.model_label, entry.object_pk, Tables(connections[log.db]))
        faults += fold.step(of_instance(entry))
        recorded_at = entry.recorded_at
        try:
            snapshot = entry.snapshot
        except BodyMismatch as error:
            faults.append(Fault("BODY_MISMATCH", entry.sequence, "a body", str(error)))
        else:
            values = values if snapshot is None else dict(snapshot)
    if fold is None:
        return Replay(None, 0, "", None, values, 0)
    return Replay(fold.state, fold.sequence, fold.head, recorded_at, values, fold.entries, tuple(faults))


def _until(log: Any, when: datetime | int) -> Any:
    return log.filter(sequence__lte=when) if isinstance(when, int) else log.filter(recorded_at__lte=when)
