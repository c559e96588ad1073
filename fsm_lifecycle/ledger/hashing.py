"""Owns every hash of the ledger: what bytes go in, under which prefix, and how fast.

Each use of SHA-256 has its own first byte, so that no bytes of one kind can pass for another's. ``LEAF`` and
``NODE`` are those of RFC 6962, section 2.1: an entry's hash is its leaf hash in the Merkle tree.

Must not know: Django, the database, what a body's fields mean.
"""

from __future__ import annotations

import datetime as dt
import os
from binascii import b2a_base64
from collections.abc import Mapping
from hashlib import sha256 as _sha256
from json.encoder import encode_basestring as _quote
from typing import Any

from .canonical import MAX_INTEGER, Json, canon, dump, plain

LEAF = b"\x00"
"""Before an entry's canonical bytes."""
NODE = b"\x01"
"""Before the two child hashes of a node of the Merkle tree."""
FIELD = b"\x02"
"""Before one body field: name, salt and value."""
BODY = b"\x03"
"""Before the digests of all fields of a body."""
GENESIS = b"\x04"
"""Before the name of a record whose chain begins."""

ENTRY_KEYS = (
    "actor", "at", "body", "cause", "compensating", "definition", "event", "from",
    "kind", "model", "occurred", "pk", "prev", "seq", "to", "v",
)  # fmt: skip
"""The keys of a hashed entry, in canonical order. All are always present."""

_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_TEXTS = ("actor", "body", "definition", "kind", "model", "pk", "prev")
_TEXTS_OR_NULL = ("cause", "event", "from", "to")
_INTEGERS = ("at", "seq", "v")


def sha256(data: bytes) -> bytes:
    """Return the 32 raw bytes of SHA-256."""
    return _sha256(data).digest()


def sha256_hex(data: bytes) -> str:
    """Return SHA-256 as 64 lower-case hexadecimal characters."""
    return _sha256(data).hexdigest()


def new_salt() -> str:
    """Return 16 random bytes as 22 characters of unpadded base64url."""
    return new_salts(1)[0].decode("ascii")


def new_salts(count: int) -> list[bytes]:
    """Return so many salts as ASCII bytes, from one request to the operating system's generator."""
    random = os.urandom(16 * count)
    return [
        b2a_base64(random[start : start + 16])[:22].translate(_URL_SAFE) for start in range(0, 16 * count, 16)
    ]


def field_digest(name: str, salt: str, value_tree: Json) -> str:
    """Return the hex digest that commits to one body field; ``value_tree`` is plain already."""
    return _sha256(FIELD + dump([name, salt, value_tree])).hexdigest()


def body_hash(digests: Mapping[str, str]) -> str:
    """Return the hex hash of a body from its field digests, ``{name: hex}``. An empty body has one too."""
    return _sha256(BODY + dump(dict(digests))).hexdigest()


def request_digest(event: Any, salt: str, arguments: object) -> str:
    """Return the hex digest kept beside an idempotency key: SHA-256 of the canonical ``[event, salt, arguments]``.

    The salt is that of the body's ``arguments``, so that nothing can be guessed from the digest once they have
    been redacted; empty when there are none.
    """
    return sha256_hex(canon([event, salt, arguments]))


def genesis(model_label: str, object_pk: str) -> str:
    """Return the ``prev`` of a record's first entry, from ``app.model`` and the key as text."""
    return _sha256(GENESIS + dump([model_label, object_pk])).hexdigest()


def fingerprint(tree: object) -> str:
    """Return the hex SHA-256, without prefix, of a value's canonical bytes: the name of a definition."""
    return _sha256(canon(tree)).hexdigest()


def microseconds(moment: dt.datetime) -> int:
    """Return the whole microseconds since 1970-01-01 UTC. Integer arithmetic: a float would round.

    Raises ``ValueError`` for a naive datetime.
    """
    if moment.utcoffset() is None:
        raise ValueError(
            f"The datetime {moment.isoformat()} has no time zone. Make it aware before it is hashed."
        )
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def entry_hash(entry: Mapping[str, Any]) -> str:
    """Return the hex RFC 6962 leaf hash of an entry. Raises ``ValueError`` as ``entry_bytes`` does."""
    return _sha256(LEAF + entry_bytes(entry)).hexdigest()


def entry_bytes(entry: Mapping[str, Any]) -> bytes:
    """Return the canonical bytes of an entry with exactly the keys of ``ENTRY_KEYS``.

    The same bytes as ``canon(entry)``, at half its price: the keys and their order are known. Raises
    ``ValueError`` naming the key that is missing, superfluous or of the wrong type. Every text is quoted, and
    every number and flag checked, so no value can imitate its neighbour.
    """
    try:
        at, occurred, seq, version = entry["at"], entry["occurred"], entry["seq"], entry["v"]
        cause, event, source, target = entry["cause"], entry["event"], entry["from"], entry["to"]
        compensating = entry["compensating"]
        if not (
            len(entry) == 16
            and type(at) is type(seq) is type(version) is int
            and (occurred is None or (type(occurred) is int and -MAX_INTEGER <= occurred <= MAX_INTEGER))
            and -MAX_INTEGER <= at <= MAX_INTEGER
            and 0 <= seq <= MAX_INTEGER
            and 0 <= version <= MAX_INTEGER
            and (compensating is True or compensating is False)
        ):
            raise _defect(entry)
        text = (
            f'{{"actor":{_quote(entry["actor"])},"at":{at},"body":{_quote(entry["body"])},'
            f'"cause":{"null" if cause is None else _quote(cause)},'
            f'"compensating":{"true" if compensating else "false"},'
            f'"definition":{_quote(entry["definition"])},'
            f'"event":{"null" if event is None else _quote(event)},'
            f'"from":{"null" if source is None else _quote(source)},'
            f'"kind":{_quote(entry["kind"])},"model":{_quote(entry["model"])},'
            f'"occurred":{"null" if occurred is None else occurred},'
            f'"pk":{_quote(entry["pk"])},"prev":{_quote(entry["prev"])},"seq":{seq},'
            f'"to":{"null" if target is None else _quote(target)},"v":{version}}}'
        )
    except (KeyError, TypeError):
        raise _defect(entry) from None
    if "\\u0000" in text:
        plain(dict(entry), "entry")  # refuses U+0000; an innocent backslash before "u0000" passes
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise _defect(entry) from None


def _defect(entry: Mapping[str, Any]) -> ValueError:
    """Say which key of an entry is wrong; looked for only when one is."""
    missing = [key for key in ENTRY_KEYS if key not in entry]
    superfluous = sorted(str(key) for key in entry if key not in ENTRY_KEYS)
    if missing:
        return ValueError(
            f"The entry lacks {', '.join(missing)}. Give all 16 keys, None where there is nothing."
        )
    if superfluous:
        return ValueError(
            f"The entry has {', '.join(superfluous)}, which version 1 does not hash. Leave it out."
        )
    plain({key: entry[key] for key in _TEXTS + _TEXTS_OR_NULL if isinstance(entry[key], str)}, "entry")
    for key in _TEXTS + _TEXTS_OR_NULL:
        if not isinstance(entry[key], str) and not (entry[key] is None and key in _TEXTS_OR_NULL):
            return ValueError(f"The entry's {key!r} is a {type(entry[key]).__name__}. Give text.")
    if not isinstance(entry["compensating"], bool):
        kind = type(entry["compensating"]).__name__
        return ValueError(f"The entry's 'compensating' is a {kind}. Give True or False.")
    return ValueError(
        f"One of the entry's {', '.join(_INTEGERS)} and 'occurred' is no integer up to {MAX_INTEGER} "
        "(seq and v not below 0, occurred or None). Give times in whole microseconds since 1970."
    )
