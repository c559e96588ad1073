"""Owns the folder outside the database where checkpoints are kept: one file for each, named by the tree's size.

Whoever can rewrite the database cannot rewrite what stands here, so a tree is signed only if it has grown from the
newest of these. Must not know signatures or the tree.
"""

from __future__ import annotations

import os
import re
import tempfile
from heapq import nlargest
from pathlib import Path

_is_kept = re.compile(r"\d{20}\.note").fullmatch
_unsafe = re.compile(r"[^A-Za-z0-9._-]")


class OutsideFolder:
    """The checkpoints of one ledger. Each ledger has a folder of its own below the one in the settings."""

    def __init__(self, folder: Path, origin: str) -> None:
        name = _unsafe.sub(lambda found: f"%{ord(found[0]):02X}", origin)
        self.folder = folder / (f"%2E{name[1:]}" if name.startswith(".") else name)

    def place(self, tree_size: int) -> Path:
        """The file of the checkpoint of that size."""
        return self.folder / f"{tree_size:020d}.note"

    def newest(self, number: int = 1) -> list[Path]:
        """The files of the largest trees, largest first; empty when there are none. Raises ``OSError``."""
        try:
            with os.scandir(self.folder) as files:
                names = nlargest(number, (file.name for file in files if _is_kept(file.name)))
        except FileNotFoundError:
            return []
        return [self.folder / name for name in names]

    def keep(self, tree_size: int, note: str) -> Path:
        """Write one checkpoint, whole or not at all, and onto the disk. Raises ``OSError``."""
        self.folder.mkdir(parents=True, exist_ok=True)
        place = self.place(tree_size)
        handle, name = tempfile.mkstemp(dir=self.folder, prefix=".new-", suffix=".note")
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
                file.write(note)
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(0o644)
            Path(name).replace(place)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        _settle(self.folder)
        return place


def _settle(folder: Path) -> None:
    """Make a renaming last: the folder itself goes onto the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
