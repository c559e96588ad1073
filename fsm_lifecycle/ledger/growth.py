"""Owns the judgement whether a tree has grown from the checkpoint that is kept outside the database.

Nothing is sealed or signed where it has not, before a person has looked. Must not know how checkpoints are made.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fsm_lifecycle import conf
from fsm_lifecycle.exceptions import LifecycleError
from fsm_lifecycle.ledger.checkpoint import Checkpoint
from fsm_lifecycle.ledger.identity import known_keys, origin_of, signers_of
from fsm_lifecycle.ledger.leaf import tree_size
from fsm_lifecycle.ledger.merkle import EMPTY_ROOT, verify_consistency
from fsm_lifecycle.ledger.note import (
    CheckpointText,
    NoteMismatch,
    VerifierKey,
    make_note,
    parse_checkpoint,
    signed_by,
)
from fsm_lifecycle.ledger.outside import OutsideFolder
from fsm_lifecycle.ledger.tiles import Tiles


class SealRefused(LifecycleError):
    """Sealing must not go on before a person has looked: nothing was sealed and nothing was signed."""

    code = "seal_refused"


def ready(using: str) -> None:
    """Raise ``SealRefused`` unless this ledger may be sealed and signed here.

    The key must be readable, and the tree must have grown from the newest checkpoint in the folder outside the
    database. An empty tree begins there with a checkpoint of its own.
    """
    signers = signers_of(using)
    folder = folder_of(using)
    if folder is None:
        return
    size = tree_size(using)
    if size == 0 and not _kept(using, folder):
        empty = CheckpointText(origin_of(using), 0, EMPTY_ROOT)
        keep(folder, 0, make_note(empty, signers))
    refuse_a_fork(using, folder, Tiles(using), size)


def adopt(note: str, using: str) -> CheckpointText:
    """Take a checkpoint that a person trusts for the newest one outside the database, and keep it there.

    Empty lines around the note are left out. One of another ledger, whose copy this database is, can make the first
    checkpoint of this one: its size and root, under this ledger's name and signature. Raises ``SealRefused`` when the
    tree has not grown from it, when it is this ledger's and not signed by a key that is known, and when the folder has
    one that is not older.
    """
    folder = folder_of(using)
    if folder is None:
        raise SealRefused(
            "There is no folder to keep the checkpoint in. Set FSM_LIFECYCLE['LEDGER_CHECKPOINT_DIR'] first."
        )
    note = note.strip("\n") + "\n"
    newest, origin = _newest(using, folder), origin_of(using)
    head = _believed(using, note, "that was given", strangers=newest is None)
    known = known_keys(using)
    if head.origin == origin and known and not signed_by(note, known):
        raise SealRefused(
            "The checkpoint that was given is not signed by a key of this ledger. Give one that is."
        )
    if newest is not None and newest[0].tree_size >= head.tree_size:
        raise SealRefused(
            f"{newest[1]} is a checkpoint of {newest[0].tree_size} entries, not older than the one that was given. "
            f"Move it away first if you do not trust it."
        )
    _refuse_other_root(using, Tiles(using), tree_size(using), head, "that was given")
    if head.origin != origin:
        head = CheckpointText(origin, head.tree_size, head.root_hash)
        note = make_note(head, signers_of(using))
    keep(folder, head.tree_size, note)
    return head


def folder_of(using: str) -> OutsideFolder | None:
    """Where a database's checkpoints are kept; ``None`` without ``LEDGER_CHECKPOINT_DIR``."""
    folder = conf.ledger_checkpoint_dir()
    return None if folder is None else OutsideFolder(folder, origin_of(using))


def _kept(using: str, folder: OutsideFolder, number: int = 1) -> list[Path]:
    try:
        return folder.newest(number)
    except OSError as error:
        raise _unusable(folder, error) from error


def keep(folder: OutsideFolder, size: int, note: str) -> None:
    """Put a checkpoint into the folder. Raises ``SealRefused`` when that cannot be done."""
    try:
        folder.keep(size, note)
    except OSError as error:
        raise _unusable(folder, error) from error


def _unusable(folder: OutsideFolder, error: OSError) -> SealRefused:
    return SealRefused(
        f"The folder of checkpoints {folder.folder} cannot be used: {error}. Make it readable and writable for this "
        f"process, or set FSM_LIFECYCLE['LEDGER_CHECKPOINT_DIR'] to another one."
    )


def refuse_a_fork(using: str, folder: OutsideFolder | None, tiles: Tiles, size: int) -> None:
    """Raise ``SealRefused`` unless the tree has grown from the newest checkpoint in the folder, where there is one."""
    if folder is None:
        return
    newest = _newest(using, folder)
    if newest is None:
        if size:
            raise _nothing_kept(using, folder, size)
        return
    head, path = newest
    _refuse_other_root(using, tiles, size, head, f"kept in {path}")


def _newest(using: str, folder: OutsideFolder) -> tuple[CheckpointText, Path] | None:
    """The newest checkpoint outside, believed. One without a signature must not follow a signed one."""
    files = _kept(using, folder, 2)
    if not files:
        return None
    try:
        notes = [path.read_text(encoding="utf-8") for path in files]
    except (OSError, UnicodeDecodeError) as error:
        raise SealRefused(
            f"A checkpoint in {folder.folder} cannot be read: {error}. Make it readable, or put it there again from "
            f"where checkpoints are exported to."
        ) from error
    head = _believed(using, notes[0], f"kept in {files[0]}")
    if folder.place(head.tree_size) != files[0]:
        raise SealRefused(
            f"{files[0]} holds the checkpoint of {head.tree_size} entries, which is kept under another name. Put the "
            f"right one there from where checkpoints are exported to, or move it away."
        )
    known = known_keys(using)
    if known and not signed_by(notes[0], known) and len(notes) > 1 and _is_signed(notes[1], known):
        raise SealRefused(
            f"The newest checkpoint, {files[0]}, is not signed by a key of this ledger, and the one before it is. "
            f"Move it away if you did not put it there."
        )
    return head, files[0]


def _is_signed(note: str, known: Sequence[VerifierKey]) -> bool:
    try:
        return bool(signed_by(note, known))
    except NoteMismatch:
        return False


def _believed(using: str, note: str, where: str, *, strangers: bool = False) -> CheckpointText:
    """What a note says, if it is well-formed and no known key's signature in it is wrong.

    It must be of this ledger, unless ``strangers`` may speak.
    """
    try:
        head, _ = parse_checkpoint(note)
        signed_by(note, known_keys(using))
    except NoteMismatch as error:
        raise SealRefused(f"The checkpoint {where} is not one: {error} Put the right one there.") from None
    if head.origin != origin_of(using) and not strangers:
        raise SealRefused(
            f"The checkpoint {where} is of the ledger {head.origin!r}, and the database {using!r} is "
            f"{origin_of(using)!r}. Give one of this ledger, or set FSM_LIFECYCLE['LEDGER_ORIGIN']."
        )
    return head


def _refuse_other_root(using: str, tiles: Tiles, size: int, head: CheckpointText, where: str) -> None:
    """Raise unless the tree begins with exactly the leaves of that checkpoint."""
    root = tiles.root(min(size, head.tree_size))
    if head.tree_size <= size:
        path = tiles.consistency(head.tree_size, size)
        if verify_consistency(head.tree_size, size, head.root_hash, tiles.root(size), path):
            return
    raise SealRefused(
        f"The ledger {origin_of(using)!r} is forked. The checkpoint {where} saw {head.tree_size} entries with the root "
        f"{head.root_hash.hex()}; the database {using!r} has {size}, and the root of its first "
        f"{min(size, head.tree_size)} is {root.hex()}. Sealed entries were changed or removed, or this is another "
        f"ledger. Run lifecycle_verify --against with that checkpoint to see what differs, and restore the database; "
        f"a copy for another environment needs another FSM_LIFECYCLE['LEDGER_ORIGIN']."
    )


def _nothing_kept(using: str, folder: OutsideFolder, size: int) -> SealRefused:
    last = Checkpoint.objects.using(using).order_by("-tree_size", "-id").first()
    shown = (
        ""
        if last is None
        else f"\nThe newest one in the database, of {last.tree_size} entries:\n\n{last.note}"
    )
    return SealRefused(
        f"The tree of the database {using!r} has {size} entries, and {folder.folder} has no checkpoint of it, so "
        f"nobody can tell whether it is the tree that was signed before. Save a checkpoint that you trust as a file "
        f"and run lifecycle_seal --adopt FILE. A copy for another environment needs another "
        f"FSM_LIFECYCLE['LEDGER_ORIGIN'].{shown}"
    )
