"""Owns the examination: every checker there is, one after another, whatever the one before found.

Nothing is mended. Must not know what any checker looks at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import DatabaseError

from fsm_lifecycle.ops.checkers import database, definitions, grants, records, sealing, webhooks, work
from fsm_lifecycle.ops.problem import Problem
from fsm_lifecycle.ops.wording import wrapped

Checker = Callable[[str], Iterator[Problem]]

#: What is looked at, by name, in the order of the report: each takes a database alias.
CHECKERS: Final[tuple[tuple[str, Checker], ...]] = (
    ("migrations", database.migrations),
    ("settings of SQLite", database.sqlite),
    ("protection", database.protected),
    ("definitions", definitions.stored),
    ("states of records", records.states),
    ("logs of records", records.adopted),
    ("expired grants", grants.ended),
    ("the ledger's name", sealing.origin),
    ("the ledger's key", sealing.key),
    ("checkpoints", sealing.checkpoints),
    ("checkpoints outside", sealing.folder),
    ("entries that could not be sealed", sealing.skipped),
    ("entries that are not sealed", sealing.unsealed),
    ("work that was given up", work.given_up),
    ("queues", work.not_worked_off),
    ("routines", work.failing),
    ("webhooks", webhooks.endpoints),
)


@dataclass(slots=True)
class Examination:
    """What an examination found."""

    database: str
    problems: list[Problem] = field(default_factory=list)
    looked_at: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    """What could not be looked at, and why."""

    @property
    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "database": self.database,
            "healthy": not self.problems and not self.failed,
            "problems": [problem.document for problem in self.problems],
            "looked_at": self.looked_at,
            "not_looked_at": self.failed,
        }

    @property
    def text(self) -> Iterator[str]:
        """For a person, line by line."""
        number = len(self.problems)
        if number:
            things = "One thing is" if number == 1 else f"{number} things are"
            yield f"{things} wrong with the lifecycles in “{self.database}”."
        elif not self.failed:
            yield f"Nothing is wrong with the lifecycles in “{self.database}”."
        for problem in self.problems:
            yield ""
            yield problem.code
            yield from wrapped(problem.what)
            yield from wrapped(f"→ {problem.remedy}")
        for name, why in self.failed.items():
            yield ""
            yield from wrapped(f"Not looked at: {name}. {why}", indent=0)
        yield ""
        yield from wrapped(f"Looked at: {', '.join(self.looked_at) or 'nothing'}.", indent=0)


def examine(using: str) -> Examination:
    """Run every checker on one database. What it cannot read is in ``failed``."""
    found = Examination(using)
    for name, checker in CHECKERS:
        try:
            found.problems += checker(using)
        except DatabaseError as error:
            found.failed[name] = f"The database says: {error}".strip()
        else:
            found.looked_at.append(name)
    return found
