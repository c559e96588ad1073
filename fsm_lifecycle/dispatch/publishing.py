"""Owns handing messages to a broker: from a thread beside the request, which neither waits for it nor fails with it.

What is not published is found by the periodic look at the database, so a message may be dropped. Must not know the
broker.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Final, TypeAlias

logger = logging.getLogger("fsm_lifecycle")

#: Which task, the name of what it does, and the database.
Message: TypeAlias = tuple[str, str, str]

#: Messages that wait at most; more are dropped, since the rows they tell of are in the database.
MOST: Final = 1000
#: Seconds between two messages that say the same. The first says that there is work; it is all looked up by then.
SPACING: Final = 0.2
#: Seconds after a failure in which nothing is tried: a broker that is away is asked rarely.
PAUSE: Final = 5.0


class Publisher:
    """One thread that sends, and what it has to send. The same message twice is one."""

    def __init__(self, send: Callable[[Message], None]) -> None:
        self._send = send
        self._begin()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        self._waiting: dict[Message, None] = {}
        self._sent: dict[Message, float] = {}
        self._sending: Message | None = None
        self._change = threading.Condition()
        self._thread: threading.Thread | None = None

    def publish(self, message: Message) -> None:
        """Have it sent soon. Never blocks, never raises."""
        with self._change:
            if len(self._waiting) < MOST:
                self._waiting[message] = None
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="fsm_lifecycle publisher", daemon=True)
                self._thread.start()
            self._change.notify()

    def flush(self, seconds: float) -> bool:
        """Wait until everything was sent. ``False`` when the time was up first."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with self._change:
                if not self._waiting and self._sending is None:
                    return True
            time.sleep(0.02)
        return False

    def _next(self) -> Message | None:
        """The first message that waits and was not sent just now, taken off; under the lock."""
        now = time.monotonic()
        for message in self._waiting:
            if now - self._sent.get(message, float("-inf")) >= SPACING:
                del self._waiting[message]
                # Asked for again while it is on its way, it is sent again: it may be too early for what is asked.
                self._sent[message] = now
                self._sending = message
                return message
        return None

    def _run(self) -> None:
        told = False
        while True:
            with self._change:
                message = self._next()
                while message is None:
                    self._change.wait(SPACING if self._waiting else None)
                    message = self._next()
            try:
                self._send(message)
            except Exception:
                if not told:
                    logger.warning(
                        "The broker did not take a message. Nothing is lost: work waits in the database.",
                        exc_info=True,
                    )
                told = True
                with self._change:
                    self._waiting.clear()
                time.sleep(PAUSE)
            else:
                told = False
            finally:
                with self._change:
                    self._sending = None
