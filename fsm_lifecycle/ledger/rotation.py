"""Rotation: a key is replaced only after every ledger that it signs has a checkpoint signed by it and its successor.

Must not know where keys are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connections, router

from fsm_lifecycle.exceptions import LifecycleError
from fsm_lifecycle.ledger import checkpoints, keys
from fsm_lifecycle.ledger.checkpoint import Checkpoint
from fsm_lifecycle.ledger.note import Signer, signed_by

#: How often a sealer that is faster is given way.
_TRIES = 5


class NotRotated(LifecycleError):
    """A ledger has no checkpoint signed by both keys, so the old key stays."""

    code = "not_rotated"


@dataclass(frozen=True, slots=True)
class Rotated:
    """What a rotation did."""

    old: str
    """The public key that signs no more."""
    new: str
    """The public key that signs from now on."""
    signed: dict[str, str]
    """The note signed by both, by database."""
    not_exported: list[str]
    """Which exports of these failed, a sentence each."""


def ledgers() -> list[str]:
    """The databases that hold a ledger."""
    return [
        alias
        for alias in connections
        if router.allow_migrate_model(alias, Checkpoint)
        and Checkpoint._meta.db_table in connections[alias].introspection.table_names()
    ]


def rotate_key() -> Rotated:
    """Replace the key. Raises ``NotRotated`` and what ``keys.rotate`` and ``checkpoints.make_checkpoint`` raise."""
    signed: dict[str, Checkpoint] = {}

    def sign_everywhere(signers: Sequence[Signer]) -> None:
        for using in ledgers():
            signed[using] = _signed_by_all(using, signers)

    old, new = keys.rotate(sign_everywhere)
    failed = [failure for checkpoint in signed.values() for failure in checkpoints.export(checkpoint)]
    notes = {using: checkpoint.note for using, checkpoint in signed.items()}
    return Rotated(old.vkey, new.vkey, notes, failed)


def _signed_by_all(using: str, signers: Sequence[Signer]) -> Checkpoint:
    """The checkpoint that both have signed: a new one, or the last one of a rotation that broke off."""
    named = [signer.key.named(checkpoints.origin_of(using)) for signer in signers]
    for _ in range(_TRIES):
        made = checkpoints.make_checkpoint(using, signers)
        newest = made or Checkpoint.objects.using(using).order_by("-tree_size", "-id").first()
        if newest is not None and set(signed_by(newest.note, named)) == set(named):
            return newest
    raise NotRotated(
        f"The ledger in {using!r} got new checkpoints faster than one could be signed by both keys. The old key stays; "
        f"rotate again while less is sealed."
    )
