"""Owns the report of a verification: findings kept on disk until it ends, then told as JSON or as text.

Memory stays flat with a million findings. Must not know how anything is found.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from tempfile import SpooledTemporaryFile
from typing import IO, Any, Final

from fsm_lifecycle.ledger.finding import MEANINGS, Finding, counted
from fsm_lifecycle.ledger.verify import Verification

_IN_MEMORY: Final = 256 * 1024
_PIECE: Final = 64 * 1024


class Report:
    """The findings of one verification. A context manager: what is on disk goes at its end."""

    def __init__(self) -> None:
        self._files: dict[str, IO[str]] = {}
        """One file of sentences for each code, and one of JSON under no code."""
        self._counts: dict[str, int] = {}

    def __enter__(self) -> Report:
        return self

    def __exit__(self, *exc_info: object) -> None:
        for file in self._files.values():
            file.close()

    def add(self, finding: Finding) -> None:
        """Keep one."""
        before = ", " if self._counts else ""
        self._counts[finding.code] = self._counts.get(finding.code, 0) + 1
        self._file("").write(before + json.dumps(finding.as_json()))
        self._file(finding.code).write(f"  {finding.sentence()}\n")

    def json(self, verification: Verification) -> Iterator[str]:
        """The document, piece by piece."""
        head: dict[str, Any] = {
            "whole": verification.whole,
            "checked": verification.checked,
            "not_checked": verification.not_checked,
        }
        yield json.dumps(head)[:-1] + ', "findings": ['
        yield from self._pieces("")
        yield "]}\n"

    def text(self, verification: Verification) -> Iterator[str]:
        """What a person reads, piece by piece."""
        found = verification.found
        if verification.whole:
            yield f"What was checked of the ledger in “{verification.using}” is whole.\n"
        else:
            yield f"The ledger in “{verification.using}” is broken: {counted(found, 'findings')}.\n"
        counts = ", ".join(counted(number, what) for what, number in verification.checked.items())
        yield f"\nChecked: {counts or 'nothing, there is nothing yet'}.\n"
        if verification.not_checked:
            yield "\nNot checked:\n"
        for what in verification.not_checked:
            yield f"  {what}\n"
        for code in MEANINGS:
            if code in self._counts:
                yield f"\n{code} ({self._counts[code]:,}): {MEANINGS[code]}.\n"
                yield from self._pieces(code)

    def _file(self, code: str) -> IO[str]:
        file = self._files.get(code)
        if file is None:
            opened: Any = SpooledTemporaryFile(_IN_MEMORY, "w+", encoding="utf-8", newline="\n")  # noqa: SIM115
            file = self._files[code] = opened
        return file

    def _pieces(self, code: str) -> Iterator[str]:
        file = self._files.get(code)
        if file is not None:
            file.seek(0)
            while piece := file.read(_PIECE):
                yield piece
