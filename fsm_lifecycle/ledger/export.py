"""Owns writing the log into a file that can be checked without this database. ``log_file`` has the format.

Reads at one moment, in pages, so that memory stays flat. Must not know who asks for it or where the file goes next.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from django.db.models import Exists, Max, Min, OuterRef
from django.utils import timezone

from fsm_lifecycle.append_only import milliseconds
from fsm_lifecycle.exceptions import LifecycleError
from fsm_lifecycle.ledger import moments
from fsm_lifecycle.ledger.chain import COLUMNS
from fsm_lifecycle.ledger.checkpoint import Checkpoint
from fsm_lifecycle.ledger.checkpoints import origin_of
from fsm_lifecycle.ledger.definitions import LifecycleDefinition
from fsm_lifecycle.ledger.entry import TransitionLog
from fsm_lifecycle.ledger.leaf import LogLeaf
from fsm_lifecycle.ledger.log_file import FORMAT, VERSION, line
from fsm_lifecycle.ledger.reading import reading

PAGE = 500
_NAMED = (COLUMNS.index("model_label"), COLUMNS.index("definition"))

Progress = Callable[[int, int], Any]


class InvalidSince(LifecycleError, ValueError):
    """A beginning that this log does not have."""

    code = "invalid_since"


@dataclass(slots=True)
class Exported:
    """What an export wrote, and what the ledger could not give."""

    entries: int = 0
    sealed: int = 0
    checkpoints: int = 0
    definitions: int = 0
    leaves_without_entry: list[int] = field(default_factory=list)
    """Leaf indices whose entry is gone, the first hundred."""
    definitions_missing: list[str] = field(default_factory=list)
    """``app.model fingerprint`` of definitions that entries name and that are not stored."""

    @property
    def whole(self) -> bool:
        """Whether everything that the file should hold was there."""
        return not self.leaves_without_entry and not self.definitions_missing


def export(using: str, path: Path, *, since: str = "", progress: Progress | None = None) -> Exported:
    """Write the log to ``path``, which is made or replaced when all is written, never half.

    The file can be read by its owner alone. ``since``: as for ``write``. Raises ``InvalidSince``, ``OSError``.
    """
    if path.exists() and not path.is_file():
        with path.open(
            "wb"
        ) as file:  # a device or a pipe, which no file may take the place of; a folder refuses
            return write(using, file, since=since, progress=progress)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            done = write(using, file, since=since, progress=progress)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
    return done


def write(using: str, file: BinaryIO, *, since: str = "", progress: Progress | None = None) -> Exported:
    """Write the log, as it is at one moment, to a binary stream.

    ``since``: a leaf index, from which on sealed entries are written, with every one that is not sealed; or a date
    or time, for everything from the first leaf on whose entry was recorded then or later. Nothing: all.

    Raises ``InvalidSince`` before anything is written.
    """
    with reading(using):
        begin = _Beginning.of(using, since)
        return _Writer(using, file, progress).write(begin)


@dataclass(frozen=True, slots=True)
class _Beginning:
    """From where on entries are written."""

    since: dict[str, Any] | None
    first_leaf: int
    tree_size: int
    recorded_at: datetime | None = None
    """Entries that are not sealed are left out when they were recorded before."""

    @classmethod
    def of(cls, using: str, since: str) -> _Beginning:
        last = LogLeaf.objects.using(using).aggregate(last=Max("leaf_index"))["last"]
        size = 0 if last is None else last + 1
        if not since:
            return cls(None, 0, size)
        if since.isascii() and since.isdigit():
            first = int(since)
            if first > size:
                raise InvalidSince(f"The log has {size:,} leaves, so none has the index {first:,}.")
            return cls({"leaf_index": first}, first, size)
        try:
            start, _ = moments.span(since)
        except ValueError as error:
            raise InvalidSince(f"{error} Or write the index of a leaf.") from None
        written = TransitionLog.objects.using(using).filter(recorded_at__gte=start)
        leaves = LogLeaf.objects.using(using).filter(entry_id__in=written.values("id"))
        found = leaves.aggregate(first=Min("leaf_index"))["first"]
        text = start.isoformat().replace("+00:00", "Z")
        return cls({"recorded_at": text}, size if found is None else found, size, start)


class _Writer:
    """Writes the lines and remembers what the trailer says."""

    def __init__(self, using: str, file: BinaryIO, progress: Progress | None) -> None:
        self.using = using
        self.file = file
        self.progress = progress
        self.sum = hashlib.sha256()
        self.done = Exported()
        self.named: set[tuple[str, str]] = set()
        self.total = 0

    def write(self, begin: _Beginning) -> Exported:
        now = milliseconds(timezone.now())
        self._put(
            "header",
            FORMAT,
            VERSION,
            origin_of(self.using),
            now,
            begin.since,
            begin.first_leaf,
            begin.tree_size,
        )
        self.total = TransitionLog.objects.using(self.using).count() if self.progress is not None else 0
        self.total = max(self.total - begin.first_leaf, 0)
        self._sealed(begin)
        self._unsealed(begin)
        self._definitions()
        done = self.done
        self._put(
            "trailer", done.entries, done.sealed, done.checkpoints, done.definitions, self.sum.hexdigest()
        )
        return done

    def _put(self, kind: str, *values: Any) -> None:
        data = line(kind, *values)
        self.sum.update(data)
        self.file.write(data)

    def _entry(self, leaf_index: int | None, values: tuple[Any, ...]) -> None:
        self._put("entry", leaf_index, *values)
        self.named.add((values[_NAMED[0]], values[_NAMED[1]]))
        self.done.entries += 1
        self.done.sealed += leaf_index is not None

    def _told(self) -> None:
        if self.progress is not None:
            self.progress(self.done.entries, max(self.done.entries, self.total))

    def _sealed(self, begin: _Beginning) -> None:
        checkpoints = self._checkpoints(begin.first_leaf)
        waiting = next(checkpoints, None)
        for leaf_index, values in self._leaves(begin.first_leaf):
            while waiting is not None and waiting[0] <= leaf_index:
                self._checkpoint(waiting)
                waiting = next(checkpoints, None)
            if values is not None:
                self._entry(leaf_index, values)
            elif len(self.done.leaves_without_entry) < 100:
                self.done.leaves_without_entry.append(leaf_index)
        while waiting is not None:
            self._checkpoint(waiting)
            waiting = next(checkpoints, None)

    def _checkpoint(self, values: tuple[Any, ...]) -> None:
        self._put("checkpoint", *values)
        self.done.checkpoints += 1

    def _leaves(self, first: int) -> Iterator[tuple[int, tuple[Any, ...] | None]]:
        """Each leaf with the columns of its entry, ``None`` where that is gone."""
        leaves = (
            LogLeaf.objects.using(self.using).order_by("leaf_index").values_list("leaf_index", "entry_id")
        )
        log = TransitionLog.objects.using(self.using)
        while page := list(leaves.filter(leaf_index__gte=first)[:PAGE]):
            rows = log.filter(id__in=[entry for _, entry in page]).values_list("id", *COLUMNS)
            found = {row[0]: row[1:] for row in rows}
            for leaf_index, entry in page:
                yield leaf_index, found.get(entry)
            first = page[-1][0] + 1
            self._told()

    def _checkpoints(self, first_leaf: int) -> Iterator[tuple[Any, ...]]:
        """Those of trees that hold leaves of this export."""
        rows = Checkpoint.objects.using(self.using).order_by("tree_size", "id")
        columns = ("tree_size", "root_hash", "note", "created_at", "id")
        page = list(rows.filter(tree_size__gt=first_leaf).values_list(*columns)[:PAGE])
        while page:
            for row in page:
                yield row[:-1]
            size, last = page[-1][0], page[-1][-1]
            after = rows.filter(tree_size__gte=size).exclude(tree_size=size, id__lte=last)
            page = list(after.values_list(*columns)[:PAGE])

    def _unsealed(self, begin: _Beginning) -> None:
        leaf = LogLeaf.objects.using(self.using).filter(entry_id=OuterRef("id"))
        log = TransitionLog.objects.using(self.using).filter(~Exists(leaf)).order_by("id")
        if begin.recorded_at is not None:
            log = log.filter(recorded_at__gte=begin.recorded_at)
        last = 0
        while page := list(log.filter(id__gt=last).values_list("id", *COLUMNS)[:PAGE]):
            for row in page:
                self._entry(None, row[1:])
            last = page[-1][0]
            self._told()

    def _definitions(self) -> None:
        stored = LifecycleDefinition.objects.using(self.using)
        columns = ("model_label", "fingerprint", "json", "first_seen")
        for label, fingerprint in sorted(self.named):
            row = stored.filter(model_label=label, fingerprint=fingerprint).values_list(*columns).first()
            if row is None:
                self.done.definitions_missing.append(f"{label} {fingerprint}")
                continue
            self._put("definition", *row)
            self.done.definitions += 1
