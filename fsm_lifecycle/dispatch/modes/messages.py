"""Owns the modes that send messages: which work is due, for workers that look it up in the database.

Must not know what carries a message, nor what the work is.
"""

from __future__ import annotations

import atexit
from collections.abc import Callable
from typing import Final

from fsm_lifecycle.dispatch import routines
from fsm_lifecycle.dispatch.publishing import Message, Publisher

#: Seconds that the end of the process waits for messages to be sent.
PATIENCE: Final = 2.0


class Messages:
    """Publishes in the background what ``send`` sends, and what is left of it when the process ends."""

    def __init__(self, send: Callable[[Message], None]) -> None:
        self.publisher = Publisher(send)
        atexit.register(self.publisher.flush, PATIENCE)

    def listens(self) -> bool:
        """Yes."""
        return True

    def wake(self, using: str) -> None:
        """Have the log looked at."""
        for routine in routines.all_routines():
            if routine.on_commit:
                self.publisher.publish(("routine", routine.name, using))

    def offer(self, queue: str, using: str) -> None:
        """Have a queue looked at."""
        self.publisher.publish(("queue", queue, using))
