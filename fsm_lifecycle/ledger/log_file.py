"""Owns the format of an exported log: one JSON object a line, in UTF-8.

1. A header: what this is, whose, from when, from which leaf on, how many leaves there were.
2. The sealed entries by leaf index, from the header's ``first_leaf`` on without a gap; after each leaf the checkpoints
   of the tree that it completes. So a reader can follow the tree without keeping it.
3. The entries that are not sealed, in the order in which they were written.
4. The definitions that the entries name.
5. A trailer: how many lines of each kind, and the SHA-256 of all bytes before it.

A line is exactly what ``line`` writes, so it says one thing to every reader. Must not know the database.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from fsm_lifecycle.ledger.chain import COLUMNS

FORMAT: Final = "fsm_lifecycle log"
VERSION: Final = 1

#: The longest line there can be: a body's 2**20 bytes, each quote and backslash escaped, and room for the rest.
MAX_LINE: Final = 2**23

#: The keys of each type of line, in the order in which they are written.
KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "header": ("type", "format", "v", "origin", "exported_at", "since", "first_leaf", "tree_size"),
    "entry": ("type", "leaf_index", *COLUMNS),
    "checkpoint": ("type", "tree_size", "root_hash", "note", "created_at"),
    "definition": ("type", "model_label", "fingerprint", "json", "first_seen"),
    "trailer": ("type", "entries", "sealed", "checkpoints", "definitions", "sha256"),
}

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode
_is_moment = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII).fullmatch


def line(kind: str, *values: Any) -> bytes:
    """One line: its type, then the values of its other keys. Times become text."""
    keys = KEYS[kind]
    row = dict(zip(keys, (kind, *values), strict=True))
    for key, value in row.items():
        if isinstance(value, datetime):
            row[key] = moment_text(value)
    return written(row)


def written(row: Mapping[str, Any]) -> bytes:
    """A row as the bytes of its line, newline included."""
    return _encode(row).encode() + b"\n"


def moment_text(moment: datetime) -> str:
    """A time in UTC with six decimals: ``2026-11-20T09:38:00.000000Z``."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def moment(text: Any) -> datetime:
    """The time that ``moment_text`` wrote. Raises ``ValueError`` for anything else."""
    if not isinstance(text, str) or not _is_moment(text):
        raise ValueError("It is no time in UTC with six decimals")
    return datetime.fromisoformat(text)
