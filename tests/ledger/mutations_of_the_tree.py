"""Owns the damage done to leaves, tiles and checkpoints."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import partial
from typing import Any

from fsm_lifecycle.ledger.checkpoint import Checkpoint
from fsm_lifecycle.ledger.leaf import LogLeaf
from fsm_lifecycle.ledger.note import Signer, make_note, parse_checkpoint
from fsm_lifecycle.ledger.tiles import LogTile
from tests.ledger.ledger_to_damage import ORIGIN, Ledger, execute, read
from tests.ledger.mutations import LOG, Mutation

LEAVES = LogLeaf._meta.db_table
TILES = LogTile._meta.db_table
CHECKPOINTS = Checkpoint._meta.db_table

ROOT = ("ROOT_MISMATCH", None, None)
SIGNATURE = ("CHECKPOINT_SIGNATURE", None, None)
FORK = ("CHECKPOINT_FORK", None, None)


def leaves(ledger: Ledger, rng: random.Random) -> Iterator[Mutation]:
    """Leaves removed, moved, and pointing elsewhere."""
    rows = read(
        f"SELECT l.leaf_index, l.entry_id, l.entry_hash, e.model_label, e.object_pk, e.sequence FROM {LEAVES} l "
        f"JOIN {LOG} e ON e.id = l.entry_id ORDER BY l.leaf_index"
    )
    size = len(rows)
    for index in (0, rng.randrange(1, size - 1), size - 1):
        yield Mutation(
            f"leaf {index} of {size} removed",
            partial(execute, f"DELETE FROM {LEAVES} WHERE leaf_index = %s", index),
            (ROOT,),
        )
    for index, entry, hash_, label, pk, sequence in rng.sample(rows, 4):
        place = (f"{label}:{pk}", sequence)
        other = "0" + hash_[1:] if hash_[0] != "0" else "1" + hash_[1:]
        for name, column, value in (
            ("another hash", "entry_hash", other),
            ("no hash", "entry_hash", "zz"),
            ("another entry", "entry_id", entry + 10_000),
        ):
            yield Mutation(
                f"leaf {index}: {name}",
                partial(execute, f"UPDATE {LEAVES} SET {column} = %s WHERE leaf_index = %s", value, index),
                (("LEAF_WITHOUT_ENTRY", *place),),
            )
        yield Mutation(
            f"leaf {index} moved to the end",
            partial(execute, f"UPDATE {LEAVES} SET leaf_index = %s WHERE leaf_index = %s", size, index),
            (ROOT,),
        )

    def swap() -> None:
        one, other = rows[2], rows[5]
        execute(f"DELETE FROM {LEAVES} WHERE leaf_index IN (2, 5)")
        for index, row in ((2, other), (5, one)):
            execute(
                f"INSERT INTO {LEAVES} (leaf_index, entry_id, entry_hash) VALUES (%s, %s, %s)",
                index,
                *row[1:3],
            )

    yield Mutation("two leaves swapped with their entries", swap, (ROOT, FORK))


def tiles(ledger: Ledger, rng: random.Random) -> Iterator[Mutation]:
    """Tiles altered, cut, removed, added."""
    [(data,)] = read(f"SELECT data FROM {TILES} WHERE level = 0 AND tile_index = 0")
    place = rng.randrange(len(data))
    other = data[:place] + ("a" if data[place] != "a" else "b") + data[place + 1 :]
    for name, value in (
        ("altered", other),
        ("cut", data[:-64]),
        ("longer", data + "0" * 64),
        ("upper case", data.upper()),
        ("empty", ""),
    ):
        yield Mutation(f"tile {name}", partial(execute, f"UPDATE {TILES} SET data = %s", value), (ROOT,))
    yield Mutation("tile removed", lambda: execute(f"DELETE FROM {TILES}"), (ROOT,))
    for level, index in ((0, 1), (1, 0)):
        yield Mutation(
            f"tile {level}/{index} added",
            partial(
                execute,
                f"INSERT INTO {TILES} (level, tile_index, data) VALUES (%s, %s, %s)",
                level,
                index,
                data[:64],
            ),
            (ROOT,),
        )


def checkpoints(ledger: Ledger, rng: random.Random) -> Iterator[Mutation]:
    """Checkpoints altered, unsigned, signed by a stranger."""
    stranger = Signer.generate(ORIGIN)[0]
    for key, size, note in read(f"SELECT id, tree_size, note FROM {CHECKPOINTS} ORDER BY id"):
        head = parse_checkpoint(note)[0]
        changes: list[tuple[str, str, Any, tuple[Any, ...]]] = [
            ("root", "root_hash", "0" * 64, (ROOT,)),
            ("size", "tree_size", size + 1, (ROOT,)),
            ("size below 0", "tree_size", -1, (ROOT,)),
            ("no signature", "note", make_note(head, []), (SIGNATURE,)),
            ("another signature", "note", make_note(head, [stranger]), (SIGNATURE,)),
            ("a wrong signature", "note", note[:-8] + "AAAA" + note[-4:], (SIGNATURE,)),
            ("another origin", "note", note.replace(ORIGIN, "elsewhere", 1), (SIGNATURE,)),
            ("no note", "note", "", (SIGNATURE,)),
            ("another text", "note", f"x{note}", (SIGNATURE,)),
        ]
        for name, column, value, expected in changes:
            yield Mutation(
                f"checkpoint of {size}: {name}",
                partial(execute, f"UPDATE {CHECKPOINTS} SET {column} = %s WHERE id = %s", value, key),
                expected,
            )


def everything(ledger: Ledger, rng: random.Random) -> Iterator[Mutation]:
    """The whole tree gone, as if nothing had ever been sealed."""

    def forget() -> None:
        for table in (LEAVES, TILES, CHECKPOINTS):
            execute(f"DELETE FROM {table}")

    yield Mutation("the tree removed", forget, (FORK,))
    yield Mutation("the tree removed, a checkpoint given", forget, (FORK,), against=ledger.kept)


def all_of(ledger: Ledger, rng: random.Random) -> list[Mutation]:
    """Every mutation of the tree."""
    return [one for maker in (leaves, tiles, checkpoints, everything) for one in maker(ledger, rng)]
