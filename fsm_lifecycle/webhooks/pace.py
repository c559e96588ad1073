"""How fast receivers answer, as this process has seen it, and which of those that hold it up it is serving.

In memory: a process that has just begun learns it with the first answers. Must not know what is sent.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, TypeAlias

#: Seconds of an attempt from which on a receiver is slow.
SLOW: Final = 1.0
#: So many seconds a receiver counts as slow after it was seen to be.
_KNOWN: Final = 60.0

#: The database and the key of an endpoint.
_Endpoint: TypeAlias = tuple[str, int]

_slow_until: dict[_Endpoint, float] = {}
_served: dict[object, tuple[_Endpoint, bool]] = {}


def slow(using: str, endpoint: int) -> None:
    """It was seen to answer slowly, or not at all."""
    _slow_until[using, endpoint] = time.monotonic() + _KNOWN


def is_slow(using: str, endpoint: int) -> bool:
    """Whether it was seen to be slow lately."""
    return _slow_until.get((using, endpoint), 0.0) > time.monotonic()


@contextmanager
def serving(using: str, endpoint: int, *, failing: bool) -> Iterator[None]:
    """Around the work on one claim."""
    claim = object()
    _served[claim] = (using, endpoint), failing
    try:
        yield
    finally:
        _served.pop(claim, None)  # gone already in the child of a fork


def held_up(using: str) -> int:
    """How many claims of endpoints that fail or are slow are at work in this process."""
    found = list(_served.values())
    return sum(key[0] == using and (failing or is_slow(*key)) for key, failing in found)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_served.clear)
