"""JSON that a model wrote, read strictly, and values that every database can hold.

Must not know what they mean.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any, Final

# What PostgreSQL's text and jsonb cannot hold: NUL, and halves of a pair.
_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")
_DEEPEST: Final = 40


class NotExact(ValueError):
    """No JSON object that says one thing alone."""


def read_object(text: str) -> dict[str, Any]:
    """A JSON object. Raises ``NotExact`` where it is cut off, says a key twice, or holds a number that is none."""
    try:
        value = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise NotExact("It is no JSON.") from error
    if not isinstance(value, dict):
        raise NotExact("It is no object.")
    finite(value)
    return value


def finite(value: Any, depth: int = 0) -> None:
    """Raise ``NotExact`` for infinities, and for what lies deeper than any form."""
    if depth > _DEEPEST or (isinstance(value, float) and not math.isfinite(value)):
        raise NotExact("It is too deep, or holds a number that is none.")
    if isinstance(value, Mapping):
        for inner in value.values():
            finite(inner, depth + 1)
    elif isinstance(value, list | tuple):
        for inner in value:
            finite(inner, depth + 1)


def storable(value: Any) -> Any:
    """The same, with characters that no database holds replaced by U+FFFD."""
    if isinstance(value, str):
        return _UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, Mapping):
        return {_UNSTORABLE.sub("\ufffd", str(key)): storable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [storable(inner) for inner in value]
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NotExact("It says a key twice.")
    return found


def _no_number(text: str) -> Any:
    raise NotExact(f"{text} is no number.")
