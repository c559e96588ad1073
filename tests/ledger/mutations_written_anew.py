"""Owns the damage that leaves no loose end: entries forged or rewritten with every hash computed anew."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import connection
from django.utils import timezone

from fsm_lifecycle.append_only import milliseconds
from fsm_lifecycle.ledger import chain, keys
from fsm_lifecycle.ledger.body import make_body
from fsm_lifecycle.ledger.hashing import entry_hash
from fsm_lifecycle.ledger.merkle import Frontier
from fsm_lifecycle.ledger.note import CheckpointText, Signer, make_note
from fsm_lifecycle.ledger.tiles import OpenTiles
from tests.ledger.ledger_to_damage import ORIGIN, Ledger, execute, read
from tests.ledger.mutations import Mutation, entries, name_of, put, rows_of
from tests.ledger.mutations_of_the_tree import CHECKPOINTS, FORK, LEAVES, ROOT, SIGNATURE, TILES


def forged(ledger: Ledger, rng: random.Random) -> Iterator[Mutation]:
    """Entries put in whose hashes are right."""
    record = ledger.redacted[0]
    last = rows_of(record)[-1]
    place = (record, last["sequence"] + 1)
    blink = {"kind": "transition", "event": "blink", "from_state": "on", "to_state": "on"}
    now = milliseconds(timezone.now())

    def put_in(with_row: bool, changes: dict[str, Any]) -> None:
        row = _next(last, {**blink, "recorded_at": now, **changes})
        chain.insert(connection, row)
        if with_row:
            execute(
                "UPDATE testapp_light SET state = %s, lifecycle_sequence = %s, lifecycle_head = %s WHERE id = %s",
                row["to_state"],
                row["sequence"],
                row["entry_hash"],
                ledger.light.pk,
            )

    yield Mutation("an entry put in", lambda: put_in(False, {}), (("HEAD_MISMATCH", *place),))
    for name, changes, code in (
        ("of yesterday, never sealed", {"recorded_at": now - timedelta(days=1)}, "NOT_SEALED"),
        ("of tomorrow, never sealed", {"recorded_at": now + timedelta(days=1)}, "NOT_SEALED"),
        ("an event that leads elsewhere", {"to_state": "off"}, "ILLEGAL_TRANSITION"),
        ("an event of no table", {"event": "explode"}, "ILLEGAL_TRANSITION"),
        ("from another state", {"event": "switch_on", "from_state": "off"}, "ILLEGAL_TRANSITION"),
        ("compensating", {"compensating": True}, "ILLEGAL_TRANSITION"),
        ("an unknown kind", {"kind": "moved", "event": None}, "ILLEGAL_TRANSITION"),
        ("a second beginning", {"kind": "created", "event": None, "from_state": None}, "ILLEGAL_TRANSITION"),
        ("an unknown definition", {"definition": "0" * 64}, "DEFINITION_MISSING"),
        ("an unknown cause", {"cause": "0" * 64}, "DANGLING_CAUSE"),
        ("two sequences further", {"sequence": last["sequence"] + 3}, "SEQUENCE_GAP"),
        ("a version that is not known", {"v": 2}, "ENTRY_HASH"),
        ("an actor of no kind", {"actor_kind": "robot"}, "ENTRY_HASH"),
    ):
        expected = (code, record, changes.get("sequence", place[1]))
        yield Mutation(f"put in: {name}", partial(put_in, True, changes), (expected,), frozenset({record}))

    nobody = str(ledger.light.pk + 777)

    def made_up() -> None:
        row = _next(
            {**last, "object_pk": nobody, "sequence": 0, "entry_hash": ""},
            {"kind": "created", "event": None, "from_state": None, "to_state": "off", "recorded_at": now},
        )
        chain.insert(connection, row)

    yield Mutation("a log of no record", made_up, (("RECORD_MISSING", f"testapp.light:{nobody}", 1),))


def _next(last: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """A whole entry that follows another one."""
    body, body_hash = make_body({})
    version = changes.pop("v", None) if "v" in changes else None
    row = chain.compose(
        **{
            "model_label": last["model_label"],
            "object_pk": last["object_pk"],
            "sequence": last["sequence"] + 1,
            "prev_hash": last["entry_hash"],
            "actor_kind": "system",
            "actor_id": "forger",
            "definition": last["definition"],
            "body": body,
            "body_hash": body_hash,
            **changes,
        }
    )
    if version is not None:
        row["v"] = version
        row["entry_hash"] = entry_hash(chain.hashed_values(row))
    return row


# --- everything computed anew -------------------------------------------------------------------------------


def rewrite_chain(rows: Sequence[dict[str, Any]], changes: dict[str, Any]) -> dict[str, str]:
    """Change the first of a record's entries and hash all that follow anew; return new hashes by old ones."""
    new: dict[str, str] = {}
    for number, before in enumerate(rows):
        row = {**before, **(changes if number == 0 else {})}
        row["prev_hash"] = new.get(row["prev_hash"], row["prev_hash"])
        row["entry_hash"] = new[before["entry_hash"]] = entry_hash(chain.hashed_values(row))
        put(before, **{name: value for name, value in row.items() if name != "id"})
    return new


def rewrite_leaves(new: dict[str, str]) -> list[bytes]:
    """Give leaves the new hashes; return all."""
    for old, hash_ in new.items():
        execute(f"UPDATE {LEAVES} SET entry_hash = %s WHERE entry_hash = %s", hash_, old)
    return [bytes.fromhex(hash_) for (hash_,) in read(f"SELECT entry_hash FROM {LEAVES} ORDER BY leaf_index")]


def rewrite_tiles(leaves: Sequence[bytes]) -> None:
    """Compute every tile anew."""
    for (level, index), data in OpenTiles().append(leaves).items():
        execute(
            f"UPDATE {TILES} SET data = %s WHERE level = %s AND tile_index = %s", data.hex(), level, index
        )


def rewrite_checkpoints(leaves: Sequence[bytes], signers: Sequence[Signer]) -> None:
    """Make every checkpoint anew, signed by whoever is given."""
    for key, size in read(f"SELECT id, tree_size FROM {CHECKPOINTS}"):
        tree = Frontier()
        for leaf in leaves[:size]:
            tree.append(leaf)
        note = make_note(CheckpointText(ORIGIN, size, tree.root()), signers)
        execute(
            f"UPDATE {CHECKPOINTS} SET root_hash = %s, note = %s WHERE id = %s", tree.root().hex(), note, key
        )


def rewritten(ledger: Ledger, rng: random.Random) -> Iterator[Mutation]:
    """One sealed entry changed, and further and further everything that would show it."""
    record = ledger.keyed[0]
    rows = rows_of(record)
    place = (record, 2)
    stranger = Signer.generate(ORIGIN)[0]
    [own] = keys.signers()

    def rewrite(depth: int, signers: Sequence[Signer] = ()) -> None:
        new = rewrite_chain(rows[1:], {"actor_id": "mallory"})
        execute(
            "UPDATE testapp_invoice SET lifecycle_head = %s WHERE id = %s",
            new[rows[-1]["entry_hash"]],
            record.partition(":")[2],
        )
        if depth >= 1:
            leaves = rewrite_leaves(new)
        if depth >= 2:
            rewrite_tiles(leaves)
        if depth >= 3:
            rewrite_checkpoints(leaves, signers)

    yield Mutation("rewritten: chain and row", lambda: rewrite(0), (("LEAF_WITHOUT_ENTRY", *place),))
    yield Mutation("rewritten: and leaves", lambda: rewrite(1), (ROOT, FORK))
    yield Mutation("rewritten: and tiles", lambda: rewrite(2), (ROOT, FORK))
    for who, signers, seen in (
        ("unsigned", [], (SIGNATURE, FORK)),
        ("signed by a stranger", [stranger], (SIGNATURE, FORK)),
        ("signed with the ledger's own key", [own], (FORK,)),
    ):
        for against in (None, ledger.kept):
            yield Mutation(
                f"rewritten: and checkpoints, {who}; {'a note' if against else 'the folder'} kept outside",
                partial(rewrite, 3, signers),
                seen,
                frozenset(),
                against,
            )


def rewritten_without_looking(ledger: Ledger, rng: random.Random) -> Iterator[Mutation]:
    """An entry changed with its own hash, but nothing behind it."""
    rows = [row for row in entries() if row["sequence"] == 1 and len(rows_of(name_of(row))) > 1]
    for row in rng.sample(rows, 3):
        moved: datetime = row["recorded_at"] - timedelta(hours=1)
        changed = {**row, "recorded_at": moved}
        hash_ = entry_hash(chain.hashed_values(changed))
        yield Mutation(
            f"{name_of(row)} #1 rehashed alone",
            partial(put, row, recorded_at=moved, entry_hash=hash_),
            (("PREV_MISMATCH", name_of(row), 2), ("LEAF_WITHOUT_ENTRY", name_of(row), 1)),
        )


def all_of(ledger: Ledger, rng: random.Random) -> list[Mutation]:
    """Every mutation of this kind."""
    makers = (forged, rewritten, rewritten_without_looking)
    return [one for maker in makers for one in maker(ledger, rng)]
