"""Owns the judgement on what a sealer left: leaves, tiles, checkpoints and the rollup against the log itself.

Reads the tables as they are. The tree is computed by the tests' own implementation of RFC 6962 while it is small, and
by appending leaf after leaf when it is not. Must not know how they came to be so.
"""

from __future__ import annotations

import time
from collections import Counter

from fsm_lifecycle.ledger.chain import hashed_values
from fsm_lifecycle.ledger.hashing import entry_hash
from fsm_lifecycle.ledger.merkle import Frontier, verify_consistency
from fsm_lifecycle.ledger.rollup import totals
from fsm_lifecycle.ledger.sealing import seal
from fsm_lifecycle.ledger.tiles import Tiles
from fsm_lifecycle.models import Checkpoint, DailyCount, LogLeaf, SealProgress, StateTotal, TransitionLog
from tests.vectors import rfc6962

#: Trees up to this size are computed by the separate implementation.
SMALL = 2000


def faults(using: str = "default", *, unsealed: int = 0) -> list[str]:
    """Everything that is not as it should be, a sentence each. ``unsealed``: so many entries have no leaf."""
    entries = {entry.pk: entry for entry in TransitionLog.objects.using(using).order_by("pk")}
    leaves = list(LogLeaf.objects.using(using).order_by("leaf_index"))
    found: list[str] = []
    if [leaf.leaf_index for leaf in leaves] != list(range(len(leaves))):
        found.append("the leaf indexes have gaps")
    if len({leaf.entry_id for leaf in leaves}) != len(leaves):
        found.append("an entry is sealed twice")
    without = set(entries) - {leaf.entry_id for leaf in leaves}
    if len(without) != unsealed:
        found.append(f"{len(without)} entries are not sealed: {sorted(without)[:5]}")
    last: dict[tuple[str, str], int] = {}
    counted: Counter[tuple[object, ...]] = Counter()
    for leaf in leaves:
        entry = entries.get(leaf.entry_id)
        if entry is None:
            found.append(f"{leaf} has no entry")
            continue
        if not leaf.entry_hash == entry.entry_hash == entry_hash(hashed_values(entry.__dict__)):
            found.append(f"{leaf} has another hash than its entry")
        record = (entry.model_label, entry.object_pk)
        if entry.sequence != last.get(record, 0) + 1:
            found.append(f"{leaf} is #{entry.sequence} of {record}, after #{last.get(record, 0)}")
        last[record] = entry.sequence
        counted[
            entry.recorded_at.date(), entry.model_label, entry.kind, entry.event or "", entry.from_state or "",
            entry.to_state or "", entry.actor_kind,
        ] += 1  # fmt: skip
    rollup = DailyCount.objects.using(using).values_list(
        "day", "model_label", "kind", "event", "from_state", "to_state", "actor_kind", "entries"
    )
    if {row[:-1]: row[-1] for row in rollup} != counted:
        found.append("the rollup is not what is sealed")
    kept = StateTotal.objects.using(using).values_list("model_label", "state", "came", "went")
    if sorted(kept) != totals(counted):
        found.append("the totals by state are not what is sealed")
    return found + _faults_of_roots(using, [bytes.fromhex(leaf.entry_hash) for leaf in leaves])


def _faults_of_roots(using: str, leaves: list[bytes]) -> list[str]:
    found: list[str] = []
    kept = list(Checkpoint.objects.using(using).order_by("tree_size", "id"))
    roots = roots_of(leaves, {len(leaves), *(one.tree_size for one in kept)})
    tiles, root = Tiles(using), roots[len(leaves)]
    if tiles.root(len(leaves)) != root:
        found.append("the tiles have another root than the leaves")
    for one in kept:
        there = bytes.fromhex(one.root_hash)
        if there != roots.get(one.tree_size):
            found.append(f"the {one} has another root than the leaves")
        path = tiles.consistency(one.tree_size, len(leaves))
        if not verify_consistency(one.tree_size, len(leaves), there, root, path):
            found.append(f"the tree has not grown from the {one}")
    return found


def roots_of(leaves: list[bytes], sizes: set[int]) -> dict[int, bytes]:
    """The root at each of these sizes, computed without tiles."""
    if len(leaves) <= SMALL and len(sizes) <= 20:
        return {size: rfc6962.mth(tuple(leaves[:size])) for size in sizes}
    frontier = Frontier()
    found = {0: frontier.root()}
    for leaf in leaves:
        frontier.append(leaf)
        if frontier.size in sizes:
            found[frontier.size] = frontier.root()
    return found


def settle() -> None:
    """Seal until everything is settled.

    On MariaDB a run settles what the one before it has read, and later where others keep asking InnoDB for its list.
    """
    last = TransitionLog.objects.latest("pk").pk
    for _ in range(50):
        seal()
        progress = SealProgress.objects.get()
        if (progress.settled_id, progress.barrier) == (last, None):
            break
        time.sleep(0.2)
    assert (progress.settled_id, progress.barrier, progress.skipped) == (last, None, [])
