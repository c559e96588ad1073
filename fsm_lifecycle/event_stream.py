"""Owns what streams of Server-Sent Events have in common: headers, a frame, and how many a user may have open.

https://html.spec.whatwg.org/multipage/server-sent-events.html. Must not know what is streamed.
"""

from __future__ import annotations

import secrets
from typing import Final

from django.core.cache import cache

from fsm_lifecycle import conf

CONTENT_TYPE: Final = "text/event-stream"
HEADERS: Final = {
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",  # nginx hands it on as it comes
    "Content-Encoding": "identity",  # GZipMiddleware would hold it back
}
#: A comment, which keeps a line open that nothing is said on.
PING: Final = b": ping\n\n"
#: Seconds after which a place that nobody holds is free.
HELD_FOR: Final = 60


def frame(data: str, *, at: int | str = "", event: str = "") -> bytes:
    """One event. ``data``: JSON without line ends; ``at``: its id; ``event``: its name, by default ``message``."""
    name = f"id: {at}\n" if at != "" else ""
    kind = f"event: {event}\n" if event else ""
    return f"{name}{kind}data: {data}\n\n".encode()


class Place:
    """One open stream among those that a user may have."""

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


def take(kind: str, user: str) -> Place | None:
    """A free place for a stream of this kind; ``None`` where ``STREAMS_PER_USER`` are taken.

    Counted in Django's cache: one that processes share counts over all of them, one for each process counts there
    alone. A place whose stream died is free again after ``HELD_FOR`` seconds.
    """
    token = secrets.token_hex(8)
    for number in range(conf.streams_per_user()):
        name = f"fsm_lifecycle:stream:{kind}:{user}:{number}"
        if cache.add(name, token, HELD_FOR):
            return Place(name, token)
    return None
