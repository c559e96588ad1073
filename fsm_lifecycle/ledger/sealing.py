"""Owns sealing: committed entries get the next places in the Merkle tree, each one once.

Entries are read and hashed without a lock. What is written (leaves, tiles, the rollup) is written under the lock of
the one row of ``SealProgress``, in one transaction for each batch. Must not know who wakes the sealer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from django.db import DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from fsm_lifecycle.ledger import checkpoints, rollup
from fsm_lifecycle.ledger.checkpoint import Checkpoint
from fsm_lifecycle.ledger.checkpoints import make_checkpoint
from fsm_lifecycle.ledger.growth import SealRefused, adopt, ready
from fsm_lifecycle.ledger.horizon import Gaps, Horizon, Watch, look
from fsm_lifecycle.ledger.leaf import LogLeaf, tree_size
from fsm_lifecycle.ledger.seal_progress import SealProgress
from fsm_lifecycle.ledger.tiles import Tiles
from fsm_lifecycle.ledger.unsealed import Candidate, by_key, unread
from fsm_lifecycle.transactions import is_busy, writing

__all__ = ["SealRefused", "SealResult", "Skipped", "adopt", "make_checkpoint", "seal"]

#: How often a batch is tried when another transaction is in its way.
_TRIES = 5


@dataclass(frozen=True)
class Skipped:
    """An entry that was not sealed, and stays so until it can be."""

    entry_id: int
    record: str
    """``app.model:pk``"""
    sequence: int
    reason: str
    """``entry_hash``: its hash is not that of its values. ``waits``: the record's entry before it is not sealed."""

    def __str__(self) -> str:
        why = {
            "entry_hash": "its hash is not that of its values. Run lifecycle_verify --record to see more",
            "waits": "the record's entry before it is not sealed",
        }
        return f"{self.record} #{self.sequence} (entry {self.entry_id}) is not sealed: {why[self.reason]}."


@dataclass(frozen=True)
class SealResult:
    """What one run has done."""

    sealed: int
    tree_size: int
    skipped: list[Skipped]
    checkpoint: Checkpoint | None
    """The checkpoint that was made, if any."""
    not_exported: list[str] = field(default_factory=list)
    """Which exports of it failed, a sentence each."""


def seal(
    using: str = "default",
    *,
    batch_size: int = 2000,
    progress: Callable[[int, int], None] | None = None,
    stopped: Callable[[], bool] = lambda: False,
    checkpoint: bool = True,
) -> SealResult:
    """Seal every entry that is committed, then make a checkpoint unless told not to.

    Call it outside any transaction. ``progress`` is told how many keys of how many were read; ``stopped`` is asked
    after each batch, and what is left then is sealed by the next run. Raises ``SealRefused`` before anything is
    written when a person has to look first, ``TileDamaged`` when the tree cannot be extended.
    """
    ready(using)
    run = _Run(using, batch_size)
    run.run(progress, stopped)
    made = make_checkpoint(using) if checkpoint else None
    return SealResult(
        sealed=run.sealed,
        tree_size=tree_size(using),
        skipped=[run.skipped[key] for key in sorted(run.skipped)],
        checkpoint=made,
        not_exported=[] if made is None else checkpoints.export(made),
    )


class _Run:
    """One walk over everything that is not settled."""

    def __init__(self, using: str, batch_size: int) -> None:
        self.using = using
        self.batch_size = batch_size
        self.connection = connections[using]
        self.tiles = Tiles(using)
        self.sealed = 0
        self.skipped: dict[int, Skipped] = {}

    def run(self, progress: Callable[[int, int], None] | None, stopped: Callable[[], bool]) -> None:
        before, _ = SealProgress.objects.using(self.using).get_or_create(pk=1)
        horizon = Horizon.of(before)
        watch = look(self.connection, horizon.settled)
        if watch.top < horizon.settled:
            horizon = Horizon()  # the log was emptied
        if before.skipped:
            self._seal(by_key(self.connection, before.skipped), again=before.skipped)
        ranges = horizon.unread(watch)
        total, done = sum(last - first + 1 for first, last in ranges), 0
        gaps = Gaps(ranges)
        for batch in unread(self.connection, ranges, self.batch_size):
            if stopped():
                return
            self._seal(batch)
            gaps.saw(one.key for one in batch)
            if progress is not None:
                done += len(batch)
                progress(min(done, total), total)
        self._settle(before, horizon, watch, gaps)

    def _settle(self, before: SealProgress, horizon: Horizon, watch: Watch, gaps: Gaps) -> None:
        """Remember how far the log was read, unless another sealer has just done so."""
        after = horizon.advanced(watch, gaps.left())
        if after == Horizon.of(before):
            return
        with writing(self.using, savepoint=False):
            row = SealProgress.objects.using(self.using).select_for_update().get(pk=1)
            if (row.settled_id, row.barrier) == (before.settled_id, before.barrier):
                after.store(row)
                row.save(using=self.using, update_fields=["settled_id", "barrier"])

    # --- one batch ------------------------------------------------------------------------------------------

    def _seal(self, batch: Sequence[Candidate], again: Sequence[int] = ()) -> None:
        """Write one batch. ``again``: keys that were skipped before and are tried with it."""
        for attempt in range(1, _TRIES + 1):
            try:
                with writing(self.using, savepoint=False) as connection:
                    sealed, skipped = self._write(connection, batch, again)
                break
            except DatabaseError as error:
                self.tiles = Tiles(self.using)  # they remember what was rolled back
                if attempt == _TRIES or not is_busy(error) or self.connection.in_atomic_block:
                    raise
                time.sleep(0.05 * attempt)
        self.sealed += sealed
        self.skipped.update({one.entry_id: one for one in skipped})

    def _write(
        self, connection: BaseDatabaseWrapper, batch: Sequence[Candidate], again: Sequence[int]
    ) -> tuple[int, list[Skipped]]:
        row = SealProgress.objects.using(self.using).select_for_update().get(pk=1)
        chosen, skipped = _choose(batch, _leaves_of(connection, batch))
        if chosen:
            start = tree_size(self.using)
            _insert_leaves(connection, start, chosen)
            self.tiles.extend(start, [bytes.fromhex(one.entry_hash) for one in chosen])
            rollup.add(connection, [one.counted for one in chosen])
        remembered = sorted((set(row.skipped) - set(again)) | {one.entry_id for one in skipped})
        if remembered != row.skipped:
            row.skipped = remembered
            row.save(using=self.using, update_fields=["skipped"])
        return len(chosen), skipped


def _choose(batch: Sequence[Candidate], have: set[int]) -> tuple[list[Candidate], list[Skipped]]:
    """Part a batch into what is sealed, in this order, and what is not. ``have``: the keys that have a leaf."""
    chosen: list[Candidate] = []
    skipped: list[Skipped] = []
    done: set[tuple[tuple[str, str], int]] = set()
    for one in batch:
        if one.key in have:
            done.add((one.record, one.sequence))
            continue
        if not one.sound:
            reason = "entry_hash"
        elif one.follows_unsealed and (one.record, one.sequence - 1) not in done:
            reason = "waits"
        else:
            chosen.append(one)
            done.add((one.record, one.sequence))
            continue
        skipped.append(Skipped(one.key, ":".join(one.record), one.sequence, reason))
    return chosen, skipped


def _leaves_of(connection: BaseDatabaseWrapper, batch: Sequence[Candidate]) -> set[int]:
    """Those of the batch's keys that have a leaf already."""
    keys = sorted(one.key for one in batch)
    leaves = LogLeaf.objects.using(connection.alias).values_list("entry_id", flat=True)
    found: set[int] = set()
    if keys and keys[-1] - keys[0] < 2 * len(keys):
        found.update(leaves.filter(entry_id__range=(keys[0], keys[-1])))
    else:
        for start in range(0, len(keys), 500):
            found.update(leaves.filter(entry_id__in=keys[start : start + 500]))
    return found


def _insert_leaves(connection: BaseDatabaseWrapper, start: int, chosen: Sequence[Candidate]) -> None:
    insert = (
        f"INSERT INTO {connection.ops.quote_name(LogLeaf._meta.db_table)} (leaf_index, entry_id, entry_hash) "
    )
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # Two arrays as text: keys are numbers and sound hashes are hex, so nothing in them needs quoting.
            keys = ",".join(str(one.key) for one in chosen)
            hashes = ",".join(one.entry_hash for one in chosen)
            cursor.execute(
                f"{insert}SELECT %s + place - 1, key, hash "  # noqa: S608
                "FROM unnest(%s::bigint[], %s::text[]) WITH ORDINALITY AS leaf(key, hash, place)",
                [start, f"{{{keys}}}", f"{{{hashes}}}"],
            )
        else:
            rows = [(index, one.key, one.entry_hash) for index, one in enumerate(chosen, start)]
            cursor.executemany(f"{insert}VALUES (%s, %s, %s)", rows)
