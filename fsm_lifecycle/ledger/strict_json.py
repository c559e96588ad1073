"""Owns reading JSON that somebody else may have written: no key twice, no number that is not a safe integer.

Must not know what is read.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NoReturn

from .canonical import MAX_INTEGER


def strict_decoder(what: str, error: type[ValueError]) -> Callable[[str], Any]:
    """A decoder of texts that are called ``what`` in messages.

    It raises ``error`` for a key that stands twice in one object, for an integer beyond ±(2^53 - 1) and for any
    other number; ``ValueError`` and ``RecursionError`` as ``json`` does.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        tree = dict(pairs)
        if len(tree) != len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise error(f"{what} has the key {twice!r:.60} twice in one object.")
        return tree

    def whole(digits: str) -> int:
        if len(digits) > 17 or abs(number := int(digits)) > MAX_INTEGER:
            raise error(f"{what} holds the integer {digits:.20}, beyond ±{MAX_INTEGER}.")
        return number

    def no_float(literal: str) -> NoReturn:
        raise error(f"{what} holds the number {literal:.30}, which is not an integer.")

    return json.JSONDecoder(
        object_pairs_hook=unique, parse_int=whole, parse_float=no_float, parse_constant=no_float
    ).decode
