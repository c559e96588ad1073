"""Owns sealing by hand, for tests about what comes after: leaves and unsigned checkpoints, without the sealer."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

from django.db import models

from fsm_lifecycle.ledger.checkpoint import Checkpoint
from fsm_lifecycle.ledger.entry import TransitionLog
from fsm_lifecycle.ledger.leaf import LogLeaf
from fsm_lifecycle.ledger.merkle import Frontier

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def _put(rows: list[Any], using: str) -> None:
    if rows:
        stored: models.QuerySet[Any] = models.QuerySet(type(rows[0]), using=using)
        stored.bulk_create(rows)


def leaves_for(entries: list[TransitionLog], using: str = "default") -> None:
    """Give entries the next leaf indices, and the tree of all leaves a checkpoint."""
    all_leaves = LogLeaf.objects.using(using).order_by("leaf_index")
    first = all_leaves.count()
    rows = [
        LogLeaf(leaf_index=first + place, entry_id=entry.pk, entry_hash=entry.entry_hash)
        for place, entry in enumerate(entries)
    ]
    _put(rows, using)
    tree = Frontier()
    for leaf in all_leaves:
        tree.append(bytes.fromhex(leaf.entry_hash))
    root = tree.root()
    checkpoint = Checkpoint(
        tree_size=tree.size,
        root_hash=root.hex(),
        note=f"example.com\n{tree.size}\n{b64encode(root).decode()}\n",
        created_at=NOON,
    )
    _put([checkpoint], using)


def seal_all(using: str = "default") -> None:
    """Give every entry without a leaf one, in the order in which they were written."""
    sealed = LogLeaf.objects.using(using).values("entry_id")
    leaves_for(list(TransitionLog.objects.using(using).exclude(pk__in=sealed).order_by("id")), using)
