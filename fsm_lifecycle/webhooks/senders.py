"""The threads that send the messages of one claim side by side. They keep no process from ending.

Must not know the database, nor what becomes of an answer.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Final

from fsm_lifecycle.webhooks.message import Message
from fsm_lifecycle.webhooks.outcomes import Outcome

#: Seconds from the first answer until what has come back is handed on, while others are still out.
_ROUND: Final = 0.02


class Senders:
    """So many threads at most, begun when there is something for them; its length is how many messages are out.

    Without one, also because a process that ends begins none, whoever asks for answers sends.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._threads = 0
        self._out = 0
        self._given: SimpleQueue[Message | None] = SimpleQueue()
        self._answered: SimpleQueue[Outcome] = SimpleQueue()

    def __len__(self) -> int:
        return self._out

    def give(self, message: Message) -> None:
        """Have it sent."""
        self._out += 1
        self._given.put(message)
        if self._threads < min(self._out, self._most):
            thread = threading.Thread(target=self._send, name="fsm_lifecycle webhook", daemon=True)
            with suppress(RuntimeError):
                thread.start()
                self._threads += 1

    def _send(self) -> None:
        while (message := self._given.get()) is not None:
            self._answered.put(message.send())

    def answers(self, seconds: float) -> list[Outcome]:
        """What has come back: none when nothing did within that time."""
        found: list[Outcome] = []
        with suppress(Empty):
            if not self._threads and (message := self._given.get_nowait()) is not None:
                self._answered.put(message.send())
            found.append(self._answered.get(timeout=seconds))
            if self._out > 1:
                time.sleep(_ROUND if self._threads else 0)
            while True:
                found.append(self._answered.get_nowait())
        self._out -= len(found)
        return found

    def take_back(self) -> list[Message]:
        """What nobody has begun to send."""
        found: list[Message] = []
        with suppress(Empty):
            while (message := self._given.get_nowait()) is not None:
                found.append(message)
        self._out -= len(found)
        return found

    def close(self) -> None:
        """Let the threads go, each when its attempt is over."""
        self.take_back()
        for _ in range(self._threads):
            self._given.put(None)
