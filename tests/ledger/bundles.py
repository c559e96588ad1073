"""Owns a bundle made by hand, for tests of what reads one: a tree of made-up entries and a key of its own."""

import json
from typing import Any

from fsm_lifecycle.ledger.body import make_body
from fsm_lifecycle.ledger.hashing import entry_hash, genesis
from fsm_lifecycle.ledger.note import CheckpointText, Signer, make_note
from tests.vectors import rfc6962

ORIGIN = "ledger.example/ü"
SIGNER, _ = Signer.generate(ORIGIN)
SIZE = 11
INDEX = 6

BODY, BODY_HASH = make_body(
    {"actor": {"label": "Alice Ångström"}, "arguments": {"n": [1, None, True]}, "reason": "so"}
)
ENTRY: dict[str, Any] = {
    "v": 1, "model": "billing.invoice", "pk": "1", "seq": 1, "kind": "created", "event": None, "from": None,
    "to": "draft", "at": 1795167480000000, "occurred": None, "actor": "user:7", "definition": "c2" * 32,
    "compensating": False, "cause": None, "prev": genesis("billing.invoice", "1"), "body": BODY_HASH,
}  # fmt: skip
HASH = entry_hash(ENTRY)
LEAVES = tuple(bytes.fromhex(HASH) if n == INDEX else rfc6962.leaf_hash(b"%d" % n) for n in range(SIZE))
HEAD = CheckpointText(ORIGIN, SIZE, rfc6962.mth(LEAVES))


def bundle(**changes: Any) -> dict[str, Any]:
    """A fresh copy of the bundle, with some of its keys changed; ``None`` takes one away."""
    tree = {
        "v": 1,
        "entry": dict(ENTRY),
        "body": json.loads(BODY),
        "leaf_index": INDEX,
        "inclusion": [step.hex() for step in rfc6962.path(INDEX, LEAVES)],
        "checkpoint": make_note(HEAD, [SIGNER]),
        **changes,
    }
    return {key: value for key, value in tree.items() if value is not None}


def sealed(entry: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A bundle in which another entry is the tree's only leaf, all hashes and the signature being right."""
    root = rfc6962.leaf_hash(
        json.dumps(entry, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
    )
    note = make_note(CheckpointText(ORIGIN, 1, root), [SIGNER])
    return bundle(entry=entry, leaf_index=0, inclusion=[], checkpoint=note, **changes)
