"""Owns folding: one record's entries in order, each held against the one before and its definition.

Goes on after a fault, from what is stored, so that each fault is named once. Must not know the record's own row,
the tree, nor the table in the code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.db.backends.base.base import BaseDatabaseWrapper

from fsm_lifecycle.ledger.chain import VERSION
from fsm_lifecycle.ledger.definitions import LifecycleDefinition
from fsm_lifecycle.ledger.finding import number, shown
from fsm_lifecycle.ledger.hashing import genesis
from fsm_lifecycle.ledger.judging import DefinitionMismatch, StoredTable, misstep
from fsm_lifecycle.ledger.raw_entry import RawEntry

#: Who can have fired. A closed list, because kind and key are hashed as one text with a colon between them.
ACTOR_KINDS: Final = frozenset({"user", "agent", "system", "unknown"})

_MOST_TABLES: Final = 500


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong with an entry, or with how it follows from the one before."""

    code: str
    """One of ``finding.MEANINGS``."""
    sequence: int | None
    expected: str
    found: str


class Tables:
    """The stored definitions, each read when an entry first names it."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self._connection = connection
        self._read: dict[tuple[Any, Any], StoredTable | str] = {}
        self.unjudged = 0
        """How many entries name a definition that is not what it was, so that their steps were not judged by it."""

    def of(self, entry: RawEntry) -> StoredTable | str:
        """The definition that an entry names, or what is wrong with it: ``missing`` or ``altered``."""
        key = (entry.model_label, entry.definition)
        table = self._read.get(key)
        if table is None:
            if len(self._read) >= _MOST_TABLES:
                self._read.clear()
            table = self._read[key] = self._stored(*key)
        if table == "altered":
            self.unjudged += 1
        return table

    def _stored(self, model_label: Any, fingerprint: Any) -> StoredTable | str:
        table = self._connection.ops.quote_name(LifecycleDefinition._meta.db_table)
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(
                    f"SELECT json FROM {table} WHERE model_label = %s AND fingerprint = %s",  # noqa: S608
                    [model_label, fingerprint],
                )
                row = cursor.fetchone()
            return "missing" if row is None else StoredTable(row[0], fingerprint)
        except DefinitionMismatch:
            return "altered"
        except UnicodeEncodeError:  # no text that a database could have stored as one
            return "missing"


class Fold:
    """What one record's entries say it went through. ``step`` takes them one by one, oldest first."""

    __slots__ = ("entries", "head", "model_label", "object_pk", "sequence", "state", "tables")

    def __init__(self, model_label: Any, object_pk: Any, tables: Tables) -> None:
        self.model_label = model_label
        self.object_pk = object_pk
        self.tables = tables
        self.state: Any = None
        """The state after the last entry; ``None`` before the first and after a deletion."""
        self.sequence = 0
        """The sequence of the last entry, 0 when there is none."""
        self.head: Any = ""
        """The hash of the last entry, empty when there is none."""
        self.entries = 0

    def begin_after(self, entry: RawEntry) -> None:
        """Take an entry for granted: the next one follows it."""
        self.state, self.head = entry.to_state, entry.entry_hash
        self.sequence = entry.sequence if type(entry.sequence) is int else self.sequence + 1

    def step(self, entry: RawEntry) -> list[Fault]:
        """Go on by one entry, and say what is wrong with it."""
        found: list[tuple[str, str, str]] = []
        if type(entry.sequence) is not int or entry.sequence != self.sequence + 1:
            found.append(("SEQUENCE_GAP", f"entry {self.sequence + 1}", f"entry {shown(entry.sequence)}"))
        if (expected := self.head or self._genesis()) != entry.prev_hash:
            found.append(("PREV_MISMATCH", shown(expected), shown(entry.prev_hash)))
        if (wrong := _hash_fault(entry)) is not None:
            found.append(("ENTRY_HASH", *wrong))
        if not is_newer(entry):
            found += self._judged(entry)
        self.entries += 1
        self.begin_after(entry)
        return [Fault(code, number(entry.sequence), *what) for code, *what in found] if found else []

    def _judged(self, entry: RawEntry) -> list[tuple[str, str, str]]:
        """What speaks against the step by the definition it names."""
        found: list[tuple[str, str, str]] = []
        table = self.tables.of(entry)
        if table == "missing":
            found.append(("DEFINITION_MISSING", "a stored definition", shown(entry.definition)))
        judged_by = None if isinstance(table, str) else table
        wrong = misstep(entry, self.state, first=self.sequence == 0, table=judged_by)
        if wrong is not None:
            found.append(("ILLEGAL_TRANSITION", *wrong))
        return found

    def _genesis(self) -> str:
        try:
            return genesis(self.model_label, self.object_pk)
        except (TypeError, ValueError):
            return "the hash of a record's name, which this one's cannot be"


def is_newer(entry: RawEntry) -> bool:
    """Whether an entry is of a version that is still to come: nothing it says can be judged here."""
    return type(entry.v) is int and entry.v > VERSION


def _hash_fault(entry: RawEntry) -> tuple[str, str] | None:
    """What is wrong with an entry's hash or with values that it does not tell apart."""
    if is_newer(entry):
        return (
            f"version {VERSION}, which is all that this version of fsm_lifecycle can judge",
            f"version {entry.v}: a newer version of fsm_lifecycle has made the entry, or it was changed since",
        )
    try:
        computed = entry.computed_hash()
    except ValueError as error:
        return "values that can be hashed", shown(f"other ones: {error}")
    if computed != entry.entry_hash:
        return computed, shown(entry.entry_hash)
    if entry.v != VERSION:
        return f"version {VERSION}", f"version {shown(entry.v)}"
    if entry.actor_kind not in ACTOR_KINDS:
        return f"an actor that is one of {', '.join(sorted(ACTOR_KINDS))}", shown(entry.actor_kind)
    return None
