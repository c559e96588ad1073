"""Owns writing diagrams to disk: all of the files or none, each replaced at once. Must not know what is in them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path


def write(files: Mapping[Path, str]) -> None:
    """Write every text to its path, in UTF-8. Nothing is replaced before all of them are on disk.

    Folders that are missing are made. Raises ``OSError``; what was there before then stands.
    """
    written: dict[Path, Path] = {}
    try:
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir():
                raise IsADirectoryError(None, "It is a folder", str(path))
            beside = path.with_name(f".{path.name}.{os.getpid()}.new")
            written[beside] = path
            beside.write_text(text, encoding="utf-8", newline="\n")
        for beside, path in written.items():
            beside.replace(path)
    finally:
        for beside in written:
            beside.unlink(missing_ok=True)
