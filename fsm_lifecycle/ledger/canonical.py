"""Owns canonical bytes: the one JSON form of a recordable value, and the way back from it.

The form is RFC 8785 (JSON Canonicalization Scheme) in UTF-8 over plain trees; ``recordable`` says how other
values become such trees.

Must not know: hashes, bodies, entries, the database.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

from .recordable import MAX_DEPTH, MAX_INTEGER, Json, RecordRef, Unrecordable, plain

__all__ = [
    "MAX_DEPTH",
    "MAX_INTEGER",
    "Json",
    "RecordRef",
    "Unrecordable",
    "canon",
    "dump",
    "plain",
    "restore",
]

_encode = json.JSONEncoder(
    sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False, check_circular=False
).encode
_encode_in_order = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), allow_nan=False, check_circular=False
).encode
_find_astral = re.compile("[\U00010000-\U0010ffff]").search


def dump(tree: Json) -> bytes:
    """Return the RFC 8785 bytes of a tree that is already plain. It is not checked again."""
    text = _encode(tree)
    # Python sorts by code point, RFC 8785 by UTF-16 unit. They differ only where a key leaves the BMP.
    if not text.isascii() and _find_astral(text):
        text = _encode_in_order(_in_utf16_order(tree))
    return text.encode()


def _in_utf16_order(tree: Json) -> Json:
    if isinstance(tree, dict):
        keys = sorted(tree, key=lambda key: key.encode("utf-16-be"))
        return {key: _in_utf16_order(tree[key]) for key in keys}
    if isinstance(tree, list):
        return [_in_utf16_order(item) for item in tree]
    return tree


def canon(value: object) -> bytes:
    """Return the canonical bytes of any recordable value. Raises ``Unrecordable``."""
    return dump(plain(value))


def restore(tree: Json) -> object:
    """Return the value that ``plain`` turned into ``tree``.

    Tuples come back as lists, datetimes in UTC, records as ``RecordRef``, enumerations as their values.
    Raises ``ValueError`` for a tree that ``plain`` cannot have made.
    """
    return _value(tree, 0)


def _value(tree: Json, depth: int) -> object:
    if isinstance(tree, dict):
        if len(tree) == 1:
            [(name, content)] = tree.items()
            if name.startswith("$") and not name.startswith("$$"):
                return _tagged(name, content, tree)
        _check_depth(depth)
        return {_user_key(key): _value(item, depth + 1) for key, item in tree.items()}
    if isinstance(tree, list):
        _check_depth(depth)
        return [_value(item, depth + 1) for item in tree]
    if isinstance(tree, str):
        return _checked(tree)
    if isinstance(tree, float) or (isinstance(tree, int) and abs(tree) > MAX_INTEGER):
        raise ValueError("it holds a number that is no plain integer and not tagged")
    return tree


def _checked(text: str) -> str:
    try:
        plain(text)
    except Unrecordable:
        raise ValueError("it holds a text with U+0000 or a lone surrogate") from None
    return text


def _check_depth(depth: int) -> None:
    if depth == MAX_DEPTH:
        raise ValueError(f"it nests more than {MAX_DEPTH} levels deep")


def _user_key(key: str) -> str:
    if not key.startswith("$"):
        return _checked(key)
    if key.startswith("$$"):
        return _checked(key[1:])
    raise ValueError(f"the key {key!r:.60} begins with one $ but is no tag")


def _tagged(name: str, content: Json, tree: Json) -> object:
    reader = _READERS.get(name)
    if reader is None:
        raise ValueError(f"the tag {name!r:.60} is not known")
    try:
        value = reader(content)
        same = canon(value) == dump(tree)  # one value, one form: nobody writes {"$int": "1"}
    except (ValueError, TypeError, ArithmeticError, AttributeError, LookupError):
        same = False
    if not same:
        raise ValueError(f"the content of the tag {name!r} is not in its canonical form")
    return value


def _read_bytes(content: Any) -> bytes:
    return urlsafe_b64decode(content + "=" * (-len(content) % 4))


def _read_duration(content: Any) -> dt.timedelta:
    return dt.timedelta(microseconds=content if isinstance(content, int) else int(content["$int"]))


def _read_record(content: Any) -> RecordRef:
    model, pk = content
    return RecordRef(model, pk)


_READERS: dict[str, Callable[[Any], object]] = {
    "$decimal": Decimal,
    "$datetime": dt.datetime.fromisoformat,
    "$date": dt.date.fromisoformat,
    "$time": dt.time.fromisoformat,
    "$duration": _read_duration,
    "$uuid": UUID,
    "$float": float,
    "$int": int,
    "$bytes": _read_bytes,
    "$record": _read_record,
}
