"""Owns the check of the tree: leaves against entries, tiles and checkpoints against leaves.

Must not know what entries say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from fsm_lifecycle.ledger.entry import TransitionLog
from fsm_lifecycle.ledger.finding import Finding, number, record_name, shown
from fsm_lifecycle.ledger.leaf import LogLeaf
from fsm_lifecycle.ledger.merkle import HASH_BYTES, Frontier
from fsm_lifecycle.ledger.scanning import scan
from fsm_lifecycle.ledger.tiles import WIDTH, LogTile, OpenTiles
from fsm_lifecycle.ledger.verify_checkpoints import Mark, Marks
from fsm_lifecycle.ledger.verify_scope import Scope

_TILE: Final = WIDTH * HASH_BYTES * 2

is_hash = re.compile("[0-9a-f]{64}").fullmatch


def verify_tree(scope: Scope, marks: Marks) -> Iterator[Finding]:
    """Every leaf in order: its entry, the tiles it is part of, the checkpoints that cover it."""
    tree = _Tree(scope)
    waiting = marks.ascending(scope)
    mark = next(waiting, None)
    while mark is not None and mark.size <= 0:
        yield from tree.held_against(mark)
        mark = next(waiting, None)
    for index, entry_id, sealed, stored in _leaves(scope):
        scope.checked["leaves"] += 1
        scope.advance()
        if stored is None or sealed != stored:
            yield without_entry(scope, index, entry_id, sealed)
        yield from tree.append(index, sealed)
        while mark is not None and not tree.broken and mark.size <= tree.size:
            yield from tree.held_against(mark)
            mark = next(waiting, None)
    yield from tree.close()
    while mark is not None:
        yield from tree.held_against(mark)
        mark = next(waiting, None)


def _leaves(scope: Scope) -> Iterator[tuple[Any, ...]]:
    select = (
        f"SELECT l.leaf_index, l.entry_id, l.entry_hash, e.entry_hash FROM {scope.table(LogLeaf)} l "  # noqa: S608
        f"LEFT JOIN {scope.table(TransitionLog)} e ON e.id = l.entry_id"
    )
    return scan(scope.connection, select, ["l.leaf_index"])


def without_entry(scope: Scope, index: Any, entry_id: Any, sealed: Any) -> Finding:
    """What became of the entry of a leaf: it is gone, has another key, or another hash."""
    select = f"SELECT model_label, object_pk, sequence, id, entry_hash FROM {scope.table(TransitionLog)}"  # noqa: S608
    rows = scope.rows(f"{select} WHERE id = %s", [entry_id]) if type(entry_id) is int else []
    if not rows and isinstance(sealed, str) and is_hash(sealed):
        rows = scope.rows(f"{select} WHERE entry_hash = %s", [sealed])
    expected = f"entry number {shown(str(entry_id))} with the hash {shown(sealed)}, sealed as leaf {shown(str(index))}"
    if not rows:
        return Finding("LEAF_WITHOUT_ENTRY", None, None, expected, "no such entry")
    model_label, object_pk, sequence, key, stored = rows[0]
    found = f"entry number {shown(str(key))} with the hash {shown(stored)}"
    return Finding(
        "LEAF_WITHOUT_ENTRY", record_name(model_label, object_pk), number(sequence), expected, found
    )


class _Tree:
    """The tree that the leaves make, and the tiles it ought to have."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._frontier = Frontier()
        self._tiles = OpenTiles()
        self._leaves: list[bytes] = []
        """Leaves that are not in the tiles yet."""
        self._partial: dict[tuple[int, int], bytes] = {}
        """The last tile of each level while it is not full."""
        self.broken = False
        """Whether leaves are missing, so that nothing beyond can be computed."""

    @property
    def size(self) -> int:
        """How many leaves there are, up to where it is broken."""
        return self._frontier.size

    def append(self, index: Any, sealed: Any) -> Iterator[Finding]:
        """Add a leaf, unless it does not belong here."""
        if self.broken:
            return
        if type(index) is not int or index != self.size:
            self.broken = True
            yield _wrong(f"leaf {self.size}", f"leaf {shown(str(index))}")
        elif not isinstance(sealed, str) or not is_hash(sealed):
            self.broken = True
            yield _wrong(f"leaf {index} to have a hash", shown(sealed))
        else:
            leaf = bytes.fromhex(sealed)
            self._frontier.append(leaf)
            self._leaves.append(leaf)
            if len(self._leaves) == WIDTH:
                yield from self._into_tiles()

    def close(self) -> Iterator[Finding]:
        """There are no more leaves: what is still open must be stored as it is, and nothing else."""
        if self.broken:
            return
        yield from self._into_tiles()
        for place, data in self._partial.items():
            yield from self._compared(place, data)
        yield from self._beyond()

    def _into_tiles(self) -> Iterator[Finding]:
        for place, data in self._tiles.append(self._leaves).items():
            if len(data) < WIDTH * HASH_BYTES:
                self._partial[place] = data
            else:
                self._partial.pop(place, None)
                yield from self._compared(place, data)
        self._leaves.clear()

    def _compared(self, place: tuple[int, int], data: bytes) -> Iterator[Finding]:
        """A tile against the row that stores it."""
        sql = (
            f"SELECT substr(data, 1, {_TILE + 1}) FROM {self._scope.table(LogTile)} "  # noqa: S608
            "WHERE level = %s AND tile_index = %s"
        )
        rows = self._scope.rows(sql, list(place))
        self._scope.checked["tiles"] += 1
        expected, found = data.hex(), rows[0][0] if rows else None
        if found == expected:
            return
        name = f"tile {place[0]}/{place[1]}"
        if not isinstance(found, str) or len(found) != len(expected):
            length = f"{len(found) // 64} hashes" if isinstance(found, str) else shown(found)
            yield _wrong(f"{name} of {len(data) // HASH_BYTES} hashes", length)
            return
        at = next(at for at in range(0, len(expected), 64) if expected[at : at + 64] != found[at : at + 64])
        yield _wrong(f"{name} to have {expected[at : at + 64]} at {at // 64}", shown(found[at : at + 64]))

    def _beyond(self) -> Iterator[Finding]:
        """Tiles that the tree does not have."""
        widths: list[int] = []
        hashes = self.size
        while hashes:
            widths.append(-(-hashes // WIDTH))
            hashes //= WIDTH
        select = f"SELECT level, tile_index FROM {self._scope.table(LogTile)}"  # noqa: S608
        levels = [
            f"level = {level} AND tile_index BETWEEN 0 AND {width - 1}" for level, width in enumerate(widths)
        ]
        where = f"NOT ({' OR '.join(levels)})" if levels else ""
        for level, index in scan(self._scope.connection, select, ["level", "tile_index"], where=where):
            yield _wrong(
                f"no tile beyond {self.size} leaves", f"tile {shown(str(level))}/{shown(str(index))}"
            )

    def held_against(self, mark: Mark) -> Iterator[Finding]:
        """What a checkpoint says against the tree, at its size or where the tree ends before."""
        yield from mark.findings
        if mark.root is None:
            return
        root = self._frontier.root().hex() if self.size == mark.size else None
        if root == mark.root:
            return
        code = "CHECKPOINT_FORK" if mark.outside else "ROOT_MISMATCH"
        expected = f"{mark.size:,} leaves with the root {mark.root}, by {mark.place}"
        if root is not None:
            found = f"the root {root}"
        else:
            found = f"{'only the first ' if self.broken else ''}{self.size:,} leaves"
        yield Finding(code, None, None, expected, found)


def _wrong(expected: str, found: str) -> Finding:
    return Finding("ROOT_MISMATCH", None, None, expected, found)
