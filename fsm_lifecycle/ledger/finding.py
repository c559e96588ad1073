"""Owns findings: what can be wrong with a ledger, by code, and how each is said in a sentence.

Must not know how anything is found.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

#: Every code there is, with what it means, in the order of reports.
MEANINGS: Final = {
    "ENTRY_HASH": "the hash of the entry's columns is not the one stored with it",
    "PREV_MISMATCH": "the entry does not name the hash of the entry before it",
    "SEQUENCE_GAP": "the entry does not follow the one before it: some are missing, or were put in",
    "HEAD_MISMATCH": "the record does not point to the last entry of its log",
    "STATE_DIVERGED": "the record is not in the state that its log led to",
    "ILLEGAL_TRANSITION": "the entry tells of a step that was not possible under its definition",
    "RECORD_MISSING": "the log tells of a record that is not there",
    "BODY_MISMATCH": "the entry's body is not the one that it was made with",
    "BODY_MISSING": "a field of the entry's body is gone, and no redaction names it",
    "DANGLING_CAUSE": "the entry names a cause that is not in the log",
    "DEFINITION_MISMATCH": "the stored definition is not the one that its fingerprint was made of",
    "DEFINITION_MISSING": "the definition that the entry was made under is not stored",
    "NOT_SEALED": "the entry should have been sealed by now, and is not",
    "LEAF_WITHOUT_ENTRY": "what was sealed is no longer in the log as it was",
    "ROOT_MISMATCH": "leaves, tiles and checkpoints do not make one tree",
    "CHECKPOINT_SIGNATURE": "the checkpoint is not signed by a key of this ledger",
    "CHECKPOINT_FORK": "the tree does not continue a checkpoint that was kept outside",
    "PROTECTION_MISSING": "the database does not protect the ledger",
}

_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong."""

    code: str
    """One of ``MEANINGS``."""
    record: str | None
    """``app.model:pk``; ``app.model`` for a definition; ``None`` where it is about no record."""
    sequence: int | None
    """The entry's sequence; ``None`` where it is about no entry."""
    expected: str
    found: str

    def as_json(self) -> dict[str, Any]:
        """As the report has it."""
        return {
            "code": self.code,
            "record": self.record,
            "sequence": self.sequence,
            "expected": self.expected,
            "found": self.found,
        }

    def sentence(self) -> str:
        """What is wrong, for a person."""
        place = self.record or ""
        if self.sequence is not None:
            place += f", entry {self.sequence}"
        begin = f"{place}: expected" if place else "Expected"
        return f"{begin} {self.expected}; found {self.found.rstrip('.')}."


def shown(value: object) -> str:
    """A stored value as a report shows it, whatever it is: one line, not too long, and always text."""
    if value is None:
        return "nothing"
    text = value if isinstance(value, str) else f"{type(value).__name__} {value!r:.{_LONGEST}}"
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]}… ({len(text):,} characters)"
    if not text.isprintable():
        text = text.encode("unicode_escape").decode("ascii")
    return text


def record_name(model_label: object, object_pk: object) -> str:
    """``app.model:pk``."""
    return f"{shown(model_label)}:{shown(object_pk)}"


def number(value: object) -> int | None:
    """A sequence as a report has it; ``None`` for what is no whole number."""
    return value if type(value) is int else None


def counted(number: int, what: str) -> str:
    """``1 entry``, ``2 entries``: a number with what it counts, given in the plural."""
    if number == 1:
        what = re.sub("ies$", "y", re.sub("ves$", "f", what)).removesuffix("s")
    return f"{number:,} {what}"
