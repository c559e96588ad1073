"""What can be wrong with sealing: the ledger's name and key, its checkpoints, entries that stay unsealed.

Must not know how entries are sealed.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from datetime import timedelta

from django.db.models import Exists, Min, OuterRef
from django.utils import timezone

from fsm_lifecycle import conf
from fsm_lifecycle.exceptions import LifecycleError
from fsm_lifecycle.ledger.checkpoint import Checkpoint
from fsm_lifecycle.ledger.checkpoints import origin_of, signers_of
from fsm_lifecycle.ledger.entry import TransitionLog
from fsm_lifecycle.ledger.finding import Finding
from fsm_lifecycle.ledger.leaf import LogLeaf, tree_size
from fsm_lifecycle.ledger.outside import OutsideFolder
from fsm_lifecycle.ledger.reading import reading
from fsm_lifecycle.ledger.seal_progress import SealProgress
from fsm_lifecycle.ledger.verify_scope import Scope
from fsm_lifecycle.ledger.verify_sealing import verify_sealed
from fsm_lifecycle.ops.problem import Problem
from fsm_lifecycle.ops.wording import in_words

SHOWN = 10


def origin(using: str) -> Iterator[Problem]:
    """A ledger whose name is guessed, so that another environment may have the same."""
    if not conf.configured().get("LEDGER_ORIGIN"):
        yield Problem(
            "ORIGIN_DEFAULT",
            f"The ledger has no name of its own. Its checkpoints say {origin_of(using)!r}, and so may those of a copy.",
            "Set FSM_LIFECYCLE['LEDGER_ORIGIN'] to a name that no other ledger has, such as 'example.com/orders'.",
        )


def key(using: str) -> Iterator[Problem]:
    """No key, or one that cannot be used."""
    try:
        signs = bool(signers_of(using))
    except LifecycleError as error:
        yield Problem(
            "KEY_UNREADABLE",
            f"Nothing can be sealed: {error}",
            "Mend that for the account that runs lifecycle_seal, and run: manage.py lifecycle_key show",
        )
        return
    if not signs:
        yield Problem(
            "UNSIGNED",
            "Checkpoints are not signed: whoever can write to the database and to where they are kept can forge both.",
            "Run: manage.py lifecycle_key new. Then set FSM_LIFECYCLE['LEDGER_KEY'].",
        )


def checkpoints(using: str) -> Iterator[Problem]:
    """Sealed entries that no checkpoint vouches for."""
    size = tree_size(using)
    covered = _newest(using)
    if covered < size:
        yield Problem(
            "CHECKPOINT_BEHIND",
            f"{size - covered:,} sealed entries are in no checkpoint.",
            f"Run: manage.py lifecycle_seal --once --database {using}",
        )


def folder(using: str) -> Iterator[Problem]:
    """No folder outside the database, or one that does not have the newest checkpoint."""
    configured = conf.ledger_checkpoint_dir()
    if configured is None:
        yield Problem(
            "CHECKPOINT_DIR_UNSET",
            "Checkpoints are kept in the database alone, so whoever rewrites it can rewrite them, too.",
            "Set FSM_LIFECYCLE['LEDGER_CHECKPOINT_DIR'] to a folder that the database's administrators cannot change.",
        )
        return
    outside = OutsideFolder(configured, origin_of(using))
    covered, size = _newest(using), tree_size(using)
    try:
        kept = [int(path.stem) for path in outside.newest()]
    except OSError as error:
        yield Problem(
            "CHECKPOINT_DIR_UNREADABLE",
            f"The folder of checkpoints {outside.folder} cannot be read: {error.strerror}.",
            "Make it readable and writable for the account that runs lifecycle_seal.",
        )
        return
    if not kept and size:
        yield Problem(
            "CHECKPOINTS_LOST",
            f"{outside.folder} has no checkpoint, though {size:,} entries are sealed. Sealing has stopped.",
            "Put the checkpoints back, or give one that you trust: manage.py lifecycle_seal --adopt NOTE",
        )
    elif kept and kept[0] > size:
        yield Problem(
            "CHECKPOINT_AHEAD",
            f"{outside.folder} has a checkpoint of {kept[0]:,} entries, and the database has {size:,} sealed ones.",
            "Restore the database from a newer backup. A copy for another environment needs another "
            "FSM_LIFECYCLE['LEDGER_ORIGIN'].",
        )
    elif kept and kept[0] < covered:
        yield Problem(
            "CHECKPOINT_STALE",
            f"The newest checkpoint in {outside.folder} is of {kept[0]:,} entries, and the database has one of "
            f"{covered:,}.",
            f"See that the folder can be written to, and run: manage.py lifecycle_seal --once --database {using}",
        )


def skipped(using: str) -> Iterator[Problem]:
    """Entries that the sealer has seen and could not seal."""
    progress = SealProgress.objects.using(using).first()
    keys = list(progress.skipped) if progress is not None else []
    if not keys:
        return
    rows = TransitionLog.objects.using(using).filter(id__in=keys[:SHOWN]).order_by("id")
    names = [f"{entry.model_label}:{entry.object_pk} entry {entry.sequence}" for entry in rows]
    more = f" and {len(keys) - SHOWN:,} more" if len(keys) > SHOWN else ""
    yield Problem(
        "SEAL_SKIPPED",
        f"Entries could not be sealed: {', '.join(names) or 'ones that are gone'}{more}. Their hashes do not match, or "
        f"an entry before them is not sealed.",
        f"Run: manage.py lifecycle_verify --database {using}",
    )


def unsealed(using: str) -> Iterator[Problem]:
    """Entries that should be sealed by now."""
    with reading(using) as connection, closing(_late(Scope(connection))) as late:
        if next(late, None) is None:
            return
    delay = conf.seal_merge_delay()
    leaf = LogLeaf.objects.using(using).filter(entry_id=OuterRef("id"))
    before = timezone.now() - timedelta(seconds=delay)
    log = TransitionLog.objects.using(using).filter(~Exists(leaf), recorded_at__lt=before)
    oldest = log.aggregate(oldest=Min("recorded_at"))["oldest"]
    age = in_words(timezone.now() - oldest) if oldest is not None else "an unknown time"
    yield Problem(
        "NOT_SEALED",
        f"{log.count():,} entries are not sealed, the oldest of them for {age}. Until then a coherent change of them "
        f"cannot be found.",
        f"Keep the sealer running: manage.py lifecycle_seal --database {using}",
    )


def _late(scope: Scope) -> Generator[Finding, None, None]:
    yield from verify_sealed(scope)


def _newest(using: str) -> int:
    newest = Checkpoint.objects.using(using).order_by("-tree_size", "-id").first()
    return 0 if newest is None else newest.tree_size
