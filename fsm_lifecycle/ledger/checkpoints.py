"""Owns the making of checkpoints: the tree must have grown from the one kept outside before its head is signed.

Also what is done with a new one: kept in the folder outside the database, and exported. Must not know how entries
are sealed.
"""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from django.db import DEFAULT_DB_ALIAS, models
from django.utils import timezone
from django.utils.module_loading import import_string

from fsm_lifecycle import conf
from fsm_lifecycle.append_only import milliseconds
from fsm_lifecycle.ledger.checkpoint import Checkpoint
from fsm_lifecycle.ledger.growth import SealRefused, adopt, folder_of, keep, ready, refuse_a_fork
from fsm_lifecycle.ledger.identity import known_keys, named, origin_of, signers_of
from fsm_lifecycle.ledger.leaf import tree_size
from fsm_lifecycle.ledger.note import CheckpointText, NoteMismatch, Signer, make_note, parse_checkpoint
from fsm_lifecycle.ledger.outside import OutsideFolder
from fsm_lifecycle.ledger.seal_progress import SealProgress
from fsm_lifecycle.ledger.tiles import Tiles
from fsm_lifecycle.transactions import writing

__all__ = [
    "SealRefused",
    "adopt",
    "commit_to_git",
    "export",
    "known_keys",
    "make_checkpoint",
    "origin_of",
    "ready",
    "signers_of",
]

logger = logging.getLogger("fsm_lifecycle")


# --- making -------------------------------------------------------------------------------------------------


def make_checkpoint(using: str, signers: Sequence[Signer] | None = None) -> Checkpoint | None:
    """Sign the tree as it is, keep the checkpoint outside, and store it; ``None`` when there is nothing new.

    There is something new when the tree grew, or when one of the signers has not signed the last checkpoint.
    ``signers``: by default those of the settings; they sign under the name of this database's ledger. Raises
    ``SealRefused`` when the tree has not grown from the checkpoint kept outside, ``TileDamaged`` when it cannot be
    read.
    """
    chosen = signers_of(using) if signers is None else named(signers, using)
    folder = folder_of(using)
    tiles, size = Tiles(using), tree_size(using)
    refuse_a_fork(using, folder, tiles, size)
    last = _last(using)
    if last is not None and last.tree_size == size and _is_current(using, last, chosen):
        _catch_up(folder, last)
        return None
    if size == 0 and signers is None:
        return None
    head = CheckpointText(origin_of(using), size, tiles.root(size))
    note = make_note(head, chosen)  # may ask elsewhere for the signature, so no lock is held
    return _store(using, folder, head, note, chosen)


def _store(
    using: str, folder: OutsideFolder | None, head: CheckpointText, note: str, chosen: Sequence[Signer]
) -> Checkpoint | None:
    with writing(using, savepoint=False):
        list(SealProgress.objects.using(using).select_for_update())
        last = _last(using)
        if last is not None and (
            last.tree_size > head.tree_size
            or (last.tree_size == head.tree_size and _is_current(using, last, chosen))
        ):
            return None  # another sealer was faster
        row = Checkpoint(
            tree_size=head.tree_size,
            root_hash=head.root_hash.hex(),
            note=note,
            created_at=milliseconds(timezone.now()),
        )
        models.Model.save_base(row, using=using, force_insert=True)
        if folder is not None:
            keep(folder, head.tree_size, note)
    return row


def _last(using: str) -> Checkpoint | None:
    return Checkpoint.objects.using(using).order_by("-tree_size", "-id").first()


def _is_current(using: str, checkpoint: Checkpoint, signers: Iterable[Signer]) -> bool:
    """Whether it goes by this ledger's name, and all of these have signed it."""
    try:
        head, signatures = parse_checkpoint(checkpoint.note)
    except NoteMismatch:
        return False
    there = {(one.name, one.key_id) for one in signatures}
    return head.origin == origin_of(using) and all(
        (signer.name, signer.key.key_id) in there for signer in signers
    )


def _catch_up(folder: OutsideFolder | None, last: Checkpoint) -> None:
    """Keep outside what was stored and did not get there: the folder was set later, or its disk was full."""
    if folder is not None and not folder.place(last.tree_size).exists():
        keep(folder, last.tree_size, last.note)


# --- export -------------------------------------------------------------------------------------------------


def export(checkpoint: Checkpoint) -> list[str]:
    """Give a new checkpoint to every callable of ``LEDGER_EXPORT``. Returns what failed, a sentence each."""
    failed: list[str] = []
    for name in conf.ledger_export():
        try:
            import_string(name)(checkpoint)
        except Exception as error:
            logger.exception("Exporting %s with %s failed", checkpoint, name)
            failed.append(f"{name} failed on the {checkpoint}: {type(error).__name__}: {error}")
    return failed


def commit_to_git(checkpoint: Checkpoint) -> None:
    """For ``LEDGER_EXPORT``: commit the checkpoint's file where ``LEDGER_CHECKPOINT_DIR`` is a git work tree.

    Pushing is the repository's own business (a hook). Raises ``SealRefused`` when it is none, and
    ``CalledProcessError`` when git fails.
    """
    using = checkpoint._state.db or DEFAULT_DB_ALIAS
    folder = folder_of(using)
    if folder is None or not folder.place(checkpoint.tree_size).exists():
        raise SealRefused("There is no file to commit. Set FSM_LIFECYCLE['LEDGER_CHECKPOINT_DIR'].")
    name = folder.place(checkpoint.tree_size).name
    if not _git(folder.folder, "rev-parse", "--is-inside-work-tree", check=False).startswith("true"):
        raise SealRefused(f"{folder.folder} is in no git work tree. Run git init there.")
    _git(folder.folder, "add", "--", name)
    if _git(folder.folder, "status", "--porcelain", "--", name):
        message = f"Checkpoint of {checkpoint.tree_size} entries of {origin_of(using)}"
        _git(folder.folder, "commit", "--quiet", "--message", message, "--", name)


def _git(folder: Path, *arguments: str, check: bool = True) -> str:
    done = subprocess.run(  # noqa: S603 - our own arguments
        ["git", *arguments],  # noqa: S607 - wherever it is installed
        cwd=folder,
        capture_output=True,
        text=True,
        check=check,
        timeout=60,
    )
    return done.stdout
