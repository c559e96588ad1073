"""A trigger before it is installed, and what an installed one says of itself.

The SQL of each carries a mark with what it was made from, so that the database can be asked what it enforces.
Must not know any database's dialect.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Final

PREFIX: Final = "fsm_lifecycle_"
#: How every refusal of a trigger begins.
REFUSAL: Final = "fsm_lifecycle: "


def name_of(table: str, purpose: str) -> str:
    """A trigger's name: short enough for every database, and a different one for each table."""
    short = table.encode()[:27].decode(errors="ignore")  # PostgreSQL counts bytes
    return f"{PREFIX}{short}_{hashlib.sha256(table.encode()).hexdigest()[:6]}_{purpose}"


@dataclass(frozen=True, slots=True)
class Trigger:
    """One trigger to be installed."""

    name: str
    table: str
    create: tuple[str, ...]
    """The statements that make it, with ``MARK`` or ``MARK_STATEMENT`` where its mark goes."""
    drop: tuple[str, ...]
    parts: tuple[str, ...] = ()
    """What else has to be there for it to protect: further triggers, tables."""
    edges: frozenset[tuple[str, str]] | None = None
    """What a guard of states lets through; ``None`` for other triggers."""
    also: frozenset[tuple[str, str]] = frozenset()
    """What it lets through besides, while programs of an older table may still be running."""
    since: str = ""
    """Since when (ISO 8601, UTC) it lets that through."""

    @property
    def digest(self) -> str:
        """What tells two versions of it apart."""
        return hashlib.sha256("\n".join(self.create).encode()).hexdigest()[:16]

    def statements(self) -> list[str]:
        """The SQL that makes it."""
        told = self._told()
        comment, literal = f"/* {_COMMENT}{told} */", f"{_LITERAL}{told.encode().hex()}'"
        return [sql.replace(MARK, comment).replace(MARK_STATEMENT, literal) for sql in self.create]

    def _told(self) -> str:
        told: dict[str, Any] = {"digest": self.digest}
        if self.edges is not None:
            told["edges"] = sorted(self.edges)
        if self.also:
            told |= {"also": sorted(self.also), "since": self.since}
        return json.dumps(told).replace("*", "\\u002a").replace("/", "\\u002f").replace("$", "\\u0024")


#: Where the comment goes.
MARK: Final = "/* mark */"
#: Where it goes as a statement that is never reached: the clients of MariaDB and MySQL drop comments, and their dumps
#: put a trigger inside one.
MARK_STATEMENT: Final = "SET @fsm_lifecycle_mark = X''"
_COMMENT: Final = "fsm_lifecycle "
_LITERAL: Final = "SET @fsm_lifecycle_mark = X'"


@dataclass(frozen=True, slots=True)
class Installed:
    """One trigger as the database has it."""

    name: str
    table: str
    digest: str
    edges: frozenset[tuple[str, str]]
    also: frozenset[tuple[str, str]]
    since: str
    fault: str = ""
    """Why it does not protect, although it is there; empty when it does."""


def read(name: str, table: str, sql: str, fault: str = "") -> Installed:
    """What a trigger of ours says of itself; an unreadable one is one of no known version."""
    told: dict[str, Any] = {}
    try:
        if (start := sql.find(_LITERAL)) >= 0:
            start += len(_LITERAL)
            told = json.loads(bytes.fromhex(sql[start : sql.index("'", start)]))
        elif (start := sql.find("/* " + _COMMENT)) >= 0:
            told = json.loads(sql[start + 3 + len(_COMMENT) : sql.index("*/", start)])
    except ValueError:
        told = {}
    return Installed(
        name,
        table,
        str(told.get("digest", "")),
        frozenset((a, b) for a, b in told.get("edges", ())),
        frozenset((a, b) for a, b in told.get("also", ())),
        str(told.get("since", "")),
        fault,
    )
