"""Owns what one verification covers: what was asked for, what was checked and what was not, and why.

Must not know how anything is checked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

from fsm_lifecycle.ledger.entry import TransitionLog
from fsm_lifecycle.ledger.finding import Finding, number, record_name
from fsm_lifecycle.ledger.folding import Fault
from fsm_lifecycle.ledger.leaf import LogLeaf

Progress = Callable[[int, int], Any]


@dataclass
class Scope:
    """One verification under way."""

    connection: BaseDatabaseWrapper
    deep: bool = False
    """Whether bodies are read."""
    record: tuple[str, str] | None = None
    """The only record to look at: ``app.model`` and the key as text."""
    since: datetime | None = None
    """Entries recorded before this are taken for granted."""
    progress: Progress | None = None
    checked: Counter[str] = field(default_factory=Counter)
    not_checked: list[str] = field(default_factory=list)
    unverifiable_digests: int = 0
    """Idempotency digests of arguments that were redacted."""
    _total: int = 0
    _done: int = 0

    def table(self, model: type[models.Model]) -> str:
        """A table's name as SQL has it."""
        return str(self.connection.ops.quote_name(model._meta.db_table))

    def rows(self, sql: str, parameters: list[Any]) -> list[tuple[Any, ...]]:
        """The few rows of a short statement."""
        with self.connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return list(cursor.fetchall())

    def leave_out(self, what: str) -> None:
        """Say what is not checked, and why; the same only once."""
        if what not in self.not_checked:
            self.not_checked.append(what)

    def begin(self) -> None:
        """Count what there is to do, where somebody looks."""
        if self.progress is None:
            return
        for model in (TransitionLog, LogLeaf):
            if self.record is None:
                self._total += self.rows(f"SELECT COUNT(*) FROM {self.table(model)}", [])[0][0]  # noqa: S608
        self.progress(0, self._total)

    def advance(self, steps: int = 1) -> None:
        """So many more entries or leaves were read."""
        self._done += steps
        if self.progress is not None and self._done % 500 < steps:
            self.progress(min(self._done, self._total), self._total)

    def end(self) -> None:
        """Nothing is left to read."""
        if self.progress is not None:
            self.progress(self._total, self._total)


def findings(model_label: object, object_pk: object, faults: list[Fault]) -> Iterator[Finding]:
    """The faults of one record's entries, each with the record's name."""
    for fault in faults:
        yield Finding(
            fault.code,
            record_name(model_label, object_pk),
            number(fault.sequence),
            fault.expected,
            fault.found,
        )
