"""Owns how many records each lifecycle has in each state, up to now: what is sealed from the totals, the rest counted.

What is not sealed yet is a few seconds' work where a sealer runs, so it is read and added. Where none runs it grows
without end; then it is left out and said so. Must not know how that is shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db.models import Exists, Max, OuterRef

from fsm_lifecycle.ledger.checkpoint import Checkpoint
from fsm_lifecycle.ledger.entry import TransitionLog
from fsm_lifecycle.ledger.leaf import LogLeaf
from fsm_lifecycle.ledger.reading import reading
from fsm_lifecycle.ledger.rollup import StateCounts, state_counts
from fsm_lifecycle.ledger.seal_progress import SealProgress

#: So many entries without a seal are counted one by one; of more, only that they are more is known.
MOST: Final = 5000
#: An entry can be committed after one with a higher key was sealed; this far back it is looked for.
_BACK: Final = 1000

Move = tuple[str, str, str, str, datetime]


@dataclass(frozen=True)
class Census:
    """How many records were in each state at one moment."""

    records: Mapping[tuple[str, str], int]
    """By ``app.model`` and state; states without a record are left out."""
    entries: Mapping[str, int]
    """How many entries each ``app.model`` has."""
    sealed: int
    """How many entries are sealed."""
    sealed_until: datetime | None
    """When the newest sealed entry was recorded; ``None`` while nothing is sealed."""
    waiting: int
    """How many entries are not sealed yet, counted up to ``MOST``."""
    waiting_since: datetime | None
    """When the oldest of them was recorded."""
    whole: bool
    """Whether those that wait are in the counts. If not, these are as of ``sealed_until``."""
    moves: tuple[Move, ...] = ()
    """Model, kind, from, to and time of the entries that wait and are counted."""
    signed: bool = False
    """Whether the newest checkpoint is signed."""

    def of(self, label: str) -> dict[str, int]:
        """The records of one model by state."""
        return {state: number for (model, state), number in self.records.items() if model == label}


def census(using: str = "default") -> Census:
    """Count the records by state. What it costs depends on the number of states and on what is not sealed yet."""
    with reading(using):
        sealed = state_counts(using)
        newest = LogLeaf.objects.using(using).aggregate(key=Max("entry_id"))["key"] or 0
        until = (
            TransitionLog.objects.using(using).filter(pk=newest).values_list("recorded_at", flat=True).first()
        )
        moves = _waiting(using, newest)
        checkpoint = Checkpoint.objects.using(using).order_by("-tree_size", "-id").first()
    whole = len(moves) <= MOST
    records, entries = _added(sealed, moves if whole else [])
    return Census(
        records=records,
        entries=entries,
        sealed=sealed.leaves,
        sealed_until=until,
        waiting=min(len(moves), MOST),
        waiting_since=min((at for *_, at in moves), default=None),
        whole=whole,
        moves=tuple(moves) if whole else (),
        signed=checkpoint is not None and checkpoint.is_signed,
    )


def _waiting(using: str, newest: int) -> list[Move]:
    settled = SealProgress.objects.using(using).values_list("settled_id", flat=True).first() or 0
    leaf = LogLeaf.objects.using(using).filter(entry_id=OuterRef("id"))
    rows = TransitionLog.objects.using(using).filter(~Exists(leaf), id__gt=max(settled, newest - _BACK))
    found = rows.order_by("id").values_list("model_label", "kind", "from_state", "to_state", "recorded_at")
    return [
        (label, kind, source or "", target or "", at) for label, kind, source, target, at in found[: MOST + 1]
    ]


def _added(sealed: StateCounts, moves: list[Move]) -> tuple[dict[tuple[str, str], int], dict[str, int]]:
    records, entries = Counter(sealed.records), Counter(sealed.entries)
    for label, _, source, target, _ in moves:
        entries[label] += 1
        if target:
            records[label, target] += 1
        if source:
            records[label, source] -= 1
    return {place: number for place, number in records.items() if number}, dict(entries)
