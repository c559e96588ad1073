"""Owns checking that an exported log is whole: hashes, bodies, chains, the tree, and that nothing was cut off.

What it keeps of each record while it reads lies in a temporary file, so memory stays flat. Must not know the
database that the entries came from, nor where they go.
"""

from __future__ import annotations

import hashlib
import sqlite3
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from fsm_lifecycle.ledger.body import BodyMismatch, hash_of, read_body
from fsm_lifecycle.ledger.chain import hashed_values
from fsm_lifecycle.ledger.hashing import entry_hash, genesis, sha256_hex
from fsm_lifecycle.ledger.log_lines import Line, Unreadable, lines
from fsm_lifecycle.ledger.merkle import Frontier

_ORDER = {"header": 0, "entry": 1, "checkpoint": 1, "definition": 2, "trailer": 3}


@dataclass(frozen=True, slots=True)
class FileFault:
    """One thing that is wrong with a file."""

    code: str
    """``LINE ORDER CUT CHECKSUM COUNT ENTRY_HASH BODY_MISMATCH PREV_MISMATCH SEQUENCE_GAP LEAF ROOT_MISMATCH
    CHECKPOINT DEFINITION_MISMATCH DEFINITION_MISSING CONFLICT``."""
    line: int | None
    """Which line, from 1; ``None`` where it is about the file."""
    what: str

    def __str__(self) -> str:
        return self.what if self.line is None else f"Line {self.line:,}: {self.what}"


@dataclass(slots=True)
class FileReport:
    """What a file that was read to its end says about itself."""

    origin: str = ""
    complete: bool = False
    """Whether it says that it holds the whole log, from leaf 0 and the first entry of each record on."""
    from_leaf_zero: bool = False
    entries: int = 0
    sealed: int = 0
    checkpoints: int = 0
    definitions: int = 0
    digest: str = ""
    """SHA-256 of the whole file."""


@dataclass(slots=True)
class _Reached:
    """Where the reader is."""

    order: int = 0
    next_leaf: int = 0
    sealing: bool = True
    """Whether sealed entries may still come."""
    tree: Frontier | None = None
    """``None`` when its roots cannot be known."""
    named: set[tuple[str, str]] = field(default_factory=set)
    defined: set[tuple[str, str]] = field(default_factory=set)
    ended: bool = False


class _Chains:
    """The last entry of every record so far, in a temporary database that vanishes with the object."""

    def __init__(self) -> None:
        self._store = sqlite3.connect("", isolation_level=None)
        self._store.execute(
            "CREATE TABLE head (model TEXT, pk TEXT, sequence INTEGER, hash TEXT, PRIMARY KEY (model, pk)) "
            "WITHOUT ROWID"
        )
        self._store.execute("BEGIN")

    def last(self, row: dict[str, Any]) -> tuple[int, str] | None:
        """Sequence and hash of the record's entry before this one."""
        found = self._store.execute(
            "SELECT sequence, hash FROM head WHERE model = ? AND pk = ?",
            (row["model_label"], row["object_pk"]),
        )
        return found.fetchone()  # type: ignore[no-any-return]

    def put(self, row: dict[str, Any]) -> None:
        """Take an entry for the record's last."""
        self._store.execute(
            "INSERT OR REPLACE INTO head VALUES (?, ?, ?, ?)",
            (row["model_label"], row["object_pk"], row["sequence"], row["entry_hash"]),
        )

    def close(self) -> None:
        """Remove the temporary database."""
        self._store.close()


class LogCheck:
    """Reads a file once. Iterate over ``faults()`` to its end, then look at ``report``."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.report = FileReport()
        self._at = _Reached()
        self._header: dict[str, Any] = {}

    def faults(self) -> Iterator[FileFault]:
        """Everything that is wrong. Raises ``Unreadable`` where reading cannot go on."""
        whole, before = hashlib.sha256(), ""
        chains = _Chains()
        last = Line(0, "", {}, b"")
        try:
            for last in lines(self.file):
                before = whole.hexdigest() if last.kind == "trailer" else ""
                whole.update(last.data)
                if last.number == 1:
                    self._begin(last)
                elif last.fault:
                    yield FileFault("LINE", last.number, last.fault)
                else:
                    yield from self._follows(last)
                    yield from self._judge(last, chains, before)
        finally:
            chains.close()
        if last.number == 0:
            raise Unreadable("The file is empty.")
        if not self._at.ended:
            yield FileFault("CUT", None, f"The file ends after line {last.number:,}, without its last line.")
        yield from self._definitions_missing()
        self.report.digest = whole.hexdigest()

    def _begin(self, line: Line) -> None:
        if line.kind != "header":
            why = f" {line.fault}" if line.fault else ""
            raise Unreadable(f"Line 1 is not the first line of an exported log.{why}")
        row = self._header = line.row
        self.report.origin = row["origin"]
        self.report.from_leaf_zero = row["first_leaf"] == 0
        self.report.complete = row["first_leaf"] == 0 and row["since"] in (None, {"leaf_index": 0})
        self._at.next_leaf = row["first_leaf"]
        self._at.tree = Frontier() if row["first_leaf"] == 0 else None

    def _follows(self, line: Line) -> Iterator[FileFault]:
        order = _ORDER[line.kind]
        if order < self._at.order or order == 0 or self._at.ended:
            yield FileFault("ORDER", line.number, f"A line of type {line.kind} does not belong here.")
        self._at.order = max(order, self._at.order)

    def _judge(self, line: Line, chains: _Chains, before: str) -> Iterator[FileFault]:
        if line.kind == "entry":
            yield from self._entry(line, chains)
        elif line.kind == "checkpoint":
            yield from self._checkpoint(line)
        elif line.kind == "definition":
            yield from self._definition(line)
        elif line.kind == "trailer":
            yield from self._trailer(line, before)

    # Entries

    def _entry(self, line: Line, chains: _Chains) -> Iterator[FileFault]:
        row, number = line.row, line.number
        name = f"{row['model_label']}:{row['object_pk']} entry {row['sequence']}"
        self.report.entries += 1
        self._at.named.add((row["model_label"], row["definition"]))
        yield from _hashes(row, number, name)
        yield from self._chain(row, number, name, chains.last(row))
        chains.put(row)
        yield from self._leaf(row, number)

    def _chain(
        self, row: dict[str, Any], number: int, name: str, last: tuple[int, str] | None
    ) -> Iterator[FileFault]:
        if last is None and row["sequence"] > 1 and not self.report.complete:
            return  # what stands before it is in an earlier export
        sequence, head = last or (0, genesis(row["model_label"], row["object_pk"]))
        if row["sequence"] != sequence + 1:
            yield FileFault("SEQUENCE_GAP", number, f"{name} stands where entry {sequence + 1} belongs.")
        if row["prev_hash"] != head:
            yield FileFault("PREV_MISMATCH", number, f"{name} does not follow from the entry before it.")

    def _leaf(self, row: dict[str, Any], number: int) -> Iterator[FileFault]:
        at, index = self._at, row["leaf_index"]
        if index is None:
            at.sealing = False
            return
        self.report.sealed += 1
        if index != at.next_leaf or not at.sealing:
            yield FileFault("LEAF", number, f"Leaf {index:,} stands where leaf {at.next_leaf:,} belongs.")
            at.tree = None
        at.next_leaf = index + 1
        if at.tree is not None:
            at.tree.append(bytes.fromhex(row["entry_hash"]))

    # The rest

    def _checkpoint(self, line: Line) -> Iterator[FileFault]:
        row, size = line.row, line.row["tree_size"]
        self.report.checkpoints += 1
        root = bytes.fromhex(row["root_hash"])
        if row["note"].split("\n")[1:3] != [str(size), b64encode(root).decode()]:
            yield FileFault("CHECKPOINT", line.number, "The checkpoint's note says another size or root.")
        if size != self._at.next_leaf:
            yield FileFault(
                "CHECKPOINT",
                line.number,
                f"A checkpoint of {size:,} leaves stands behind {self._at.next_leaf:,} leaves.",
            )
        elif self._at.tree is not None and self._at.tree.root() != root:
            yield FileFault(
                "ROOT_MISMATCH",
                line.number,
                f"The {size:,} leaves do not have the root that their checkpoint says.",
            )

    def _definition(self, line: Line) -> Iterator[FileFault]:
        row = line.row
        self.report.definitions += 1
        self._at.defined.add((row["model_label"], row["fingerprint"]))
        if sha256_hex(row["json"].encode()) != row["fingerprint"]:
            what = f"The definition of {row['model_label']} is not the one that its fingerprint names."
            yield FileFault("DEFINITION_MISMATCH", line.number, what)

    def _definitions_missing(self) -> Iterator[FileFault]:
        for label, fingerprint in sorted(self._at.named - self._at.defined):
            what = f"Entries of {label} name the definition {fingerprint[:8]}, which the file does not have."
            yield FileFault("DEFINITION_MISSING", None, what)

    def _trailer(self, line: Line, before: str) -> Iterator[FileFault]:
        self._at.ended = True
        report, said = self.report, line.row
        if said["sha256"] != before:
            yield FileFault(
                "CHECKSUM", line.number, "The file is not the one that was written: its checksum differs."
            )
        for name in ("entries", "sealed", "checkpoints", "definitions"):
            have = getattr(report, name)
            if said[name] != have:
                what = f"The file was written with {said[name]:,} under “{name}” and has {have:,}."
                yield FileFault("COUNT", line.number, what)
        size = self._header["tree_size"]
        if self._at.next_leaf != size:
            what = f"The leaves end with {self._at.next_leaf:,} of {size:,}."
            yield FileFault("LEAF", line.number, what)


def _hashes(row: dict[str, Any], number: int, name: str) -> Iterator[FileFault]:
    """What an entry's own hashes say against it."""
    try:
        if hash_of(row["body"]) != row["body_hash"]:
            yield FileFault("BODY_MISMATCH", number, f"{name}: its body is not the one that was hashed.")
        elif row["idempotency_key"] != _key_in(row["body"]):
            yield FileFault("BODY_MISMATCH", number, f"{name}: its idempotency key is not that of its body.")
    except BodyMismatch as error:
        yield FileFault("BODY_MISMATCH", number, f"{name}: {error}")
    try:
        found = entry_hash(hashed_values(row))
    except ValueError as error:
        yield FileFault("ENTRY_HASH", number, f"{name} cannot be hashed: {error}")
        return
    if found != row["entry_hash"]:
        yield FileFault("ENTRY_HASH", number, f"{name} does not have the hash that it says.")


def _key_in(body: str) -> object:
    if '"idempotency_key"' not in body:
        return None
    held = read_body(body).get("idempotency_key")
    return None if held is None else held.value
