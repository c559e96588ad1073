"""Owns the making of the golden vectors: the plainest possible reading of the log's byte format.

Run ``python -m tests.vectors.generate`` to write the files anew. It computes everything from the published format
with ``hashlib`` and its own serializer, so that it can disagree with the package. Must not import the package.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
SHORT = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def quoted(text: str) -> str:
    return '"' + "".join(SHORT.get(c, c if c >= " " else f"\\u{ord(c):04x}") for c in text) + '"'


def canonical(tree: Any) -> str:
    if tree is None:
        return "null"
    if isinstance(tree, bool):
        return "true" if tree else "false"
    if isinstance(tree, int):
        return str(tree)
    if isinstance(tree, str):
        return quoted(tree)
    if isinstance(tree, list):
        return "[" + ",".join(canonical(item) for item in tree) + "]"
    if isinstance(tree, dict):
        keys = sorted(tree, key=lambda key: list(memoryview(key.encode("utf-16-le")).cast("H")))
        return "{" + ",".join(quoted(key) + ":" + canonical(tree[key]) for key in keys) + "}"
    raise TypeError(tree)


def digest(prefix: int, text: str) -> str:
    return hashlib.sha256(bytes([prefix]) + text.encode("utf-8")).hexdigest()


def field_digest(name: str, salt: str, tree: Any) -> str:
    return digest(2, canonical([name, salt, tree]))


def field_digests(body: dict[str, Any]) -> dict[str, str]:
    return {
        name: field["redacted"] if isinstance(field, dict) else field_digest(name, *field)
        for name, field in body.items()
    }


def body_hash(digests: dict[str, str]) -> str:
    return digest(3, canonical(digests))


def entry_hash(entry: dict[str, Any]) -> str:
    return digest(0, canonical(entry))


def genesis(model: str, pk: str) -> str:
    return digest(4, canonical([model, pk]))


TREES: dict[str, Any] = {
    "null": None,
    "true": True,
    "false": False,
    "zero": 0,
    "largest integer": 2**53 - 1,
    "smallest integer": -(2**53 - 1),
    "empty text": "",
    "empty array": [],
    "empty object": {},
    "every escape": 'quote " backslash \\ slash / \b\f\n\r\t \x01\x1f \x7f',
    "text that looks like an escape": "\\u0000",
    "text beyond ASCII": "Ångström, 株式会社, \u2028, 😀",
    "decomposed text stays decomposed": "A\u030angstro\u0308m",
    "keys in ASCII order": {"b": 1, "a": 2, "B": 3, "10": 4, "9": 5, "": 6},
    "keys in UTF-16 order": {"\ufb33": 1, "\U0001f600": 2, "€": 3, "\r": 4, "1": 5, "ö": 6, "\x80": 7},
    "nested keys in UTF-16 order": [{"a": [{"\U00010000": 1, "\uffff": {"\U0010ffff": 2, "\ue000": 3}}]}],
    "nested": {"lines": [{"price": {"$decimal": "1.50"}, "note": None}, []]},
}
"""Trees that are plain already."""

TAGGED: dict[str, Any] = {
    "decimal": {"$decimal": "1.50"},
    "decimal with an exponent": {"$decimal": "1E+5"},
    "negative zero as decimal": {"$decimal": "-0.00"},
    "datetime": {"$datetime": "2026-11-20T09:38:00.000000Z"},
    "datetime of another zone": {"$datetime": "2026-11-20T08:38:00.123456Z"},
    "datetime of an early year": {"$datetime": "0987-01-02T03:04:05.000006Z"},
    "date": {"$date": "2026-11-20"},
    "time": {"$time": "09:38:00.000000"},
    "time with microseconds": {"$time": "23:59:59.999999"},
    "duration": {"$duration": 90_000_001},
    "negative duration": {"$duration": -1},
    "longest duration": {"$duration": {"$int": "86399999999999999999"}},
    "uuid": {"$uuid": "1b4e28ba-2fa1-11d2-883f-0016d3cca427"},
    "float": {"$float": "0.1"},
    "whole float": {"$float": "1.0"},
    "large float": {"$float": "1e+22"},
    "negative zero as float": {"$float": "-0.0"},
    "integer beyond the range": {"$int": "9007199254740992"},
    "negative integer beyond the range": {"$int": "-9007199254740992"},
    "bytes": {"$bytes": "AP_-"},
    "bytes without padding": {"$bytes": "AA"},
    "no bytes": {"$bytes": ""},
    "record": {"$record": ["billing.invoice", "7"]},
    "record with a uuid": {"$record": ["billing.contract", "1b4e28ba-2fa1-11d2-883f-0016d3cca427"]},
    "user key with a dollar": {"$$decimal": "1.50"},
    "user key with two dollars": {"$$$": {"$$a": 1, "b$": 2}},
}
"""What values of other types become; the tests hold the value of each name."""

SALTS = ["zzgTck0JrSDzC1EiA7cN3A", "AAAAAAAAAAAAAAAAAAAAAA", "_-_-_-_-_-_-_-_-_-_-_w"]

FIELDS: list[tuple[str, str, Any]] = [
    ("actor", SALTS[0], {"label": "Alice Ångström"}),
    ("arguments", SALTS[1], {"amount": {"$decimal": "99.90"}, "paid_on": {"$date": "2026-11-20"}}),
    ("arguments", SALTS[2], {}),
    ("metadata", SALTS[1], {"\ufb33": 1, "\U0001f600": [2, {"$$ref": None}]}),
    ("snapshot", SALTS[2], {"client": {"$record": ["crm.client", "7"]}, "total": {"$float": "0.1"}}),
    ("reason", SALTS[0], 'He said "no"\n'),
    ("idempotency_key", SALTS[1], "order-17"),
]

BODIES: dict[str, dict[str, Any]] = {
    "empty": {},
    "worked example": {"actor": [SALTS[0], {"label": "Alice Ångström"}]},
    "worked example, redacted": {
        "actor": {"redacted": "b68cac20eaa882362eb0b2bb49bf127a3ebeacaa2b5baae91022f793e0ed826c"}
    },
    "several fields": {name: [salt, tree] for name, salt, tree in FIELDS if tree != {}},
    "one of two redacted": {
        "arguments": {"redacted": field_digest("arguments", SALTS[2], {"iban": "NO93 8601 1117 947"})},
        "reason": [SALTS[0], "Paid in full"],
    },
}

WORKED: dict[str, Any] = {
    "v": 1,
    "model": "billing.invoice",
    "pk": "1",
    "seq": 1,
    "kind": "created",
    "event": None,
    "from": None,
    "to": "draft",
    "at": 1_795_167_480_000_000,
    "occurred": None,
    "actor": "user:7",
    "definition": "c2e63accc082db1d8ffede4203f0458b01f2a4b8270204a3ed1e249eb4f19687",
    "compensating": False,
    "cause": None,
    "prev": genesis("billing.invoice", "1"),
    "body": body_hash(field_digests(BODIES["worked example"])),
}

NEXT: dict[str, Any] = {
    **WORKED,
    "seq": 2,
    "kind": "transition",
    "event": "send_invoice",
    "from": "draft",
    "to": "sent",
    "at": 1_795_167_481_002_000,
    "body": body_hash({}),
    "prev": entry_hash(WORKED),
}

ENTRIES: dict[str, dict[str, Any]] = {
    "worked example": WORKED,
    "transition": NEXT,
    "compensating, caused and late": {
        **NEXT,
        "seq": 3,
        "event": "refund",
        "from": "sent",
        "to": "draft",
        "actor": 'system:nightly "job" \\ Ångström 😀',
        "compensating": True,
        "cause": entry_hash(NEXT),
        "occurred": -1,
        "prev": entry_hash(NEXT),
    },
    "deleted by nobody known": {
        **NEXT,
        "kind": "purged",
        "event": None,
        "to": None,
        "actor": "unknown:",
        "at": -9_007_199_254_740_991,
        "seq": 9_007_199_254_740_991,
    },
    "key of awkward text": {**NEXT, "pk": "a/b:c \\u0000 \u2028\n", "prev": genesis("billing.invoice", "x")},
}

RECORDS = [
    ("billing.invoice", "1"),
    ("billing.invoice", "1b4e28ba-2fa1-11d2-883f-0016d3cca427"),
    ("helpdesk.ticket", "Case 17"),
    ("a.b", 'Å"\\ 😀'),
    ("a.b", ""),
]


def vectors() -> dict[str, list[dict[str, Any]]]:
    """Return the content of every file by its name."""
    return {
        "canonical.json": [
            {"name": name, "tree": tree, "canonical": canonical(tree)} for name, tree in TREES.items()
        ],
        "tagged.json": [
            {"name": name, "tree": tree, "canonical": canonical(tree)} for name, tree in TAGGED.items()
        ],
        "fields.json": [
            {"name": name, "salt": salt, "value": tree, "digest": field_digest(name, salt, tree)}
            for name, salt, tree in FIELDS
        ],
        "bodies.json": [
            {
                "name": name,
                "text": canonical(body),
                "digests": field_digests(body),
                "hash": body_hash(field_digests(body)),
            }
            for name, body in BODIES.items()
        ],
        "entries.json": [
            {"name": name, "entry": entry, "canonical": canonical(entry), "hash": entry_hash(entry)}
            for name, entry in ENTRIES.items()
        ],
        "genesis.json": [{"model": model, "pk": pk, "hash": genesis(model, pk)} for model, pk in RECORDS],
    }


def text_of(rows: list[dict[str, Any]]) -> str:
    """Return a file's text: ASCII, so that no editor or checkout changes a character of a vector."""
    return json.dumps(rows, indent=1) + "\n"


def read(name: str) -> list[dict[str, Any]]:
    """Return the vectors as they are checked in."""
    rows: list[dict[str, Any]] = json.loads((HERE / name).read_text(encoding="utf-8"))
    return rows


if __name__ == "__main__":
    for file, rows in vectors().items():
        (HERE / file).write_text(text_of(rows), encoding="utf-8")
