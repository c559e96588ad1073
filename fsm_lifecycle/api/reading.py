"""Reading JSON that a stranger has sent: every oddity is an answer, none an error of ours.

Refused are: what is no UTF-8 or no JSON, NaN and infinities, a key twice in one object, texts with U+0000 or half a
character (no database takes them), integers of thousands of digits, nesting beyond what can be read, and more bytes
than the project reads. Must not know what the JSON is for.
"""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from django.conf import settings
from rest_framework.parsers import BaseParser

from fsm_lifecycle.api.problem import Problem, unreadable

#: Objects and lists may nest so deep. The log takes 64.
DEEPEST = 64


class _Odd(ValueError):
    """Why a text is not taken, in words of ours."""


class StrictJSONParser(BaseParser):  # type: ignore[misc]
    """Parses ``application/json``."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        """The value, or a ``Problem``."""
        most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        raw = stream.read() if most is None else stream.read(most + 1)
        if most is not None and len(raw) > most:
            raise Problem("too_large", f"The body has more than {most:,} bytes.")
        return read_json(raw)


def read_json(raw: bytes) -> Any:
    """The value of a JSON text, or a ``Problem`` that says what is wrong with it."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise unreadable("", "The body is not UTF-8.") from None
    try:
        value = _decoder.decode(text)
        _check(value, 0)
    except _Odd as odd:
        raise unreadable("", f"The body {odd}.") from None
    except (ValueError, RecursionError):
        raise unreadable("", "The body is not JSON, or nests too deep to be read.") from None
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    tree = dict(pairs)
    if len(tree) != len(pairs):
        raise _Odd("has a key twice in one object")
    return tree


def _float(literal: str) -> float:
    number = float(literal)
    if math.isinf(number):
        raise _Odd("holds a number that is too large")
    return number


def _constant(literal: str) -> NoReturn:
    raise _Odd("holds NaN or Infinity, which are not JSON")


def _check(value: Any, depth: int) -> None:
    if isinstance(value, str):
        if "\0" in value:
            raise _Odd("holds a text with U+0000, which no database takes")
        if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
            raise _Odd("holds half a character (a lone surrogate)")
        return
    if isinstance(value, dict | list):
        if depth == DEEPEST:
            raise _Odd(f"nests more than {DEEPEST} levels deep")
        for one in value:
            _check(one, depth + 1)
        if isinstance(value, dict):
            for one in value.values():
                _check(one, depth + 1)


_decoder = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_float, parse_constant=_constant)
