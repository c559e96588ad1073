"""Owns how many streams a user may have open: so many places in the cache, each held while its stream lives.

A cache that processes share counts over all of them; one for each process counts there alone. A place whose stream
died is free again when its time is over. Must not know what is streamed.
"""

from __future__ import annotations

import secrets
from typing import Final

from django.core.cache import cache

from fsm_lifecycle import conf

#: Seconds after which a place that nobody holds is free.
HELD_FOR: Final = 60


class Place:
    """One place, taken."""

    def __init__(self, name: str, token: str) -> None:
        self.name, self.token = name, token

    def hold(self) -> None:
        """Keep it for as long again."""
        if cache.get(self.name) in (None, self.token):
            cache.set(self.name, self.token, HELD_FOR)

    def leave(self) -> None:
        """Let another stream have it."""
        if cache.get(self.name) == self.token:
            cache.delete(self.name)


def take(user: str) -> Place | None:
    """A free place of a user; ``None`` where all are taken."""
    token = secrets.token_hex(8)
    for number in range(conf.streams_per_user()):
        name = f"fsm_lifecycle:stream:{user}:{number}"
        if cache.add(name, token, HELD_FOR):
            return Place(name, token)
    return None
