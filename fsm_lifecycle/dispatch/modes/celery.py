"""Owns the mode ``celery``: messages that say which work is due, for workers that look it up in the database.

Must not know what the work is.
"""

from __future__ import annotations

import atexit
from typing import Any, Final

from fsm_lifecycle.dispatch import routines
from fsm_lifecycle.dispatch.publishing import Message, Publisher

#: Seconds that the end of the process waits for messages to be sent.
PATIENCE: Final = 2.0
#: A broker that does not answer is given up soon; the publisher tries again later.
_CONNECT: Final[dict[str, Any]] = {"retry": False}


class Celery:
    """Publishes to the broker of the project's Celery app."""

    def __init__(self) -> None:
        self.publisher = Publisher(_send)

    def listens(self) -> bool:
        """Yes."""
        return True

    def wake(self, using: str) -> None:
        """Tell the workers to look at the log."""
        for routine in routines.all_routines():
            if routine.on_commit:
                self.publisher.publish(("routine", routine.name, using))

    def offer(self, queue: str, using: str) -> None:
        """Tell the workers to look at a queue."""
        self.publisher.publish(("queue", queue, using))


def _send(message: Message) -> None:
    from fsm_lifecycle.dispatch import celery

    task, name, using = message
    getattr(celery, task).apply_async((name, using), **_CONNECT)


MODE = Celery()
atexit.register(MODE.publisher.flush, PATIENCE)
