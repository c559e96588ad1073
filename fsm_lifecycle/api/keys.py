"""Keys of records in addresses: Django's quoting, with what would mean something else in a path written out too.

Must not know what is found under a key.
"""

from __future__ import annotations

from typing import Any

from django.contrib.admin.utils import quote, unquote

from fsm_lifecycle.append_only import key_text

#: Segments of a path that mean something else: several records, this folder, the one above. Clients take the last two
#: out of an address before they ask, so where one arrives all the same, the key is meant.
_TAKEN = {"-": "_2D", ".": "_2E", "..": "_2E_2E"}

_GIVEN_BACK = {segment: text for text, segment in _TAKEN.items()}


def key_segment(key: Any) -> str:
    """A key as one segment of a path. Other characters than ASCII are percent-encoded on top, as in every address."""
    text = key_text(key)
    return _TAKEN.get(text) or str(quote(text))


def key_from(segment: str) -> str | None:
    """The key that a segment names; ``None`` for one that names no record."""
    if segment == "-":
        return None
    return _GIVEN_BACK.get(segment) or unquote(segment)
