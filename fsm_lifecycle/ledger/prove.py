"""Proving: one sealed entry as a bundle that can be checked without Django and without the database.

Must not know who asks for it or where it is written.
"""

from __future__ import annotations

import json
from typing import Any

from fsm_lifecycle.exceptions import LifecycleError
from fsm_lifecycle.ledger import bundle
from fsm_lifecycle.ledger.body import BodyMismatch, digests_of, read_body
from fsm_lifecycle.ledger.chain import hashed_values
from fsm_lifecycle.ledger.checkpoint import Checkpoint
from fsm_lifecycle.ledger.entry import TransitionLog
from fsm_lifecycle.ledger.leaf import LogLeaf
from fsm_lifecycle.ledger.note import NoteMismatch, parse_checkpoint
from fsm_lifecycle.ledger.reading import reading
from fsm_lifecycle.ledger.tiles import TileDamaged, Tiles


class NotProvable(LifecycleError):
    """The entry is not in the log, not sealed, or in no checkpoint yet; ``damaged``: the ledger contradicts it."""

    code = "not_provable"

    def __init__(self, message: str, *, damaged: bool = False) -> None:
        super().__init__(message)
        self.damaged = damaged


def prove(entry_hash: str, using: str, *, body: bool = True) -> dict[str, Any]:
    """Return the bundle of an entry, up to the newest checkpoint.

    ``body``: whether the body's values go with it. Without them, and where anything of them is redacted, the fields'
    digests do. Raises ``NotProvable``, also when what is stored would make a bundle that is not true.
    """
    with reading(using):
        entry = TransitionLog.objects.using(using).filter(entry_hash=entry_hash).first()
        if entry is None:
            raise NotProvable(
                f"The log has no entry {entry_hash!r:.80}. Give the 64 characters of an entry's hash."
            )
        leaf = LogLeaf.objects.using(using).filter(entry_id=entry.pk).first()
        if leaf is None:
            raise NotProvable(f"Entry {entry_hash} is not sealed yet. Run manage.py lifecycle_seal --once.")
        covering = Checkpoint.objects.using(using).filter(tree_size__gt=leaf.leaf_index)
        checkpoint = covering.order_by("-tree_size", "-id").first()
        if checkpoint is None:
            raise NotProvable(
                f"Entry {entry_hash} is sealed, but no checkpoint covers it yet. Run manage.py lifecycle_seal --once."
            )
        proof = {
            "v": bundle.VERSION,
            "entry": hashed_values(entry.__dict__),
            **_content(entry, with_values=body),
            "leaf_index": leaf.leaf_index,
            "inclusion": [step.hex() for step in _path(leaf.leaf_index, checkpoint, using)],
            "checkpoint": checkpoint.note,
        }
    _refuse_untrue(proof, entry_hash)
    return proof


def as_text(proof: dict[str, Any]) -> str:
    """A bundle as it is written to a file."""
    return json.dumps(proof, ensure_ascii=False, indent=2) + "\n"


def is_signed(proof: dict[str, Any]) -> bool:
    """Whether the bundle's checkpoint carries a signature at all."""
    return bool(parse_checkpoint(proof["checkpoint"])[1])


def _content(entry: TransitionLog, *, with_values: bool) -> dict[str, Any]:
    try:
        redacted = any(field.redacted for field in read_body(entry.body).values())
        if with_values and not redacted:
            return {"body": json.loads(entry.body)}
        return {"digests": digests_of(entry.body)}
    except BodyMismatch as error:
        raise _damaged(entry.entry_hash, str(error)) from None


def _path(leaf_index: int, checkpoint: Checkpoint, using: str) -> list[bytes]:
    try:
        size = parse_checkpoint(checkpoint.note)[0].tree_size
        return Tiles(using).inclusion(leaf_index, size)
    except (TileDamaged, NoteMismatch, ValueError) as error:
        raise _damaged(f"at place {leaf_index}", str(error)) from None


def _refuse_untrue(proof: dict[str, Any], entry_hash: str) -> None:
    """Whoever gets a bundle believes that it can be checked, so it is, but for its signatures."""
    try:
        read = bundle.read_bundle(as_text(proof))
        if bundle.leaf_of(read) != entry_hash:
            raise bundle.BundleMismatch("The entry's columns give another hash.")
    except (bundle.BundleMismatch, bundle.CannotTell) as error:
        raise _damaged(entry_hash, str(error)) from None


def _damaged(what: str, why: str) -> NotProvable:
    return NotProvable(
        f"Entry {what} cannot be proven, because the ledger is damaged. {why} Run manage.py lifecycle_verify --deep.",
        damaged=True,
    )
