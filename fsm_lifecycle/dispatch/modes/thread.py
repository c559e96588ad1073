"""Owns the mode ``thread``: a daemon thread in each process, begun at its first commit that leaves work behind.

It needs no broker and no other process. A child of a fork begins its own; at exit what was committed is done, as far as
the time reaches. In a test run it stays away unless the settings name it: a thread would hold on to the test database.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from contextlib import suppress
from typing import Any, Final

from django.db import connections
from django.test.utils import _TestState

from fsm_lifecycle import conf
from fsm_lifecycle.dispatch.working import Worker

#: Seconds that the end of the process waits for work. What is not done then is done later.
PATIENCE: Final = 5.0
#: The last of them, in which nothing is begun any more, and what was not begun is given back.
_GIVING_BACK: Final = 1.0


class Thread:
    """One worker in a thread of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._worker: Worker | None = None
        self._thread: threading.Thread | None = None

    def listens(self) -> bool:
        """Yes, but in a test run only where the settings ask for it."""
        return not hasattr(_TestState, "saved_data") or conf.is_set("DISPATCH")

    def wake(self, using: str) -> None:
        """Wake the worker; begin it where there is none. A database in memory is this thread's alone."""
        connection: Any = connections[using]
        if connection.vendor == "sqlite" and connection.is_in_memory_db():
            return
        with suppress(RuntimeError):  # a process that ends begins no thread
            self._begun().wake(using)

    def offer(self, queue: str, using: str) -> None:
        """The same: the worker looks at every queue."""
        self.wake(using)

    def _begun(self) -> Worker:
        if (worker := self._working()) is not None:
            return worker
        with self._lock:
            if (worker := self._working()) is None:
                self._worker = worker = Worker()
                self._thread = threading.Thread(target=worker.run, name="fsm_lifecycle worker", daemon=True)
                self._thread.start()
            return worker

    def _working(self) -> Worker | None:
        """The worker there is. What is committed while it ends is for its last round, or for later."""
        worker, thread = self._worker, self._thread
        if worker is None or thread is None or not (worker.ends or thread.is_alive()):
            return None
        return worker

    def stop(self, seconds: float = PATIENCE) -> None:
        """End the worker, with a little time for what has been committed."""
        worker, thread = self._worker, self._thread
        if worker is None or thread is None:
            return
        end = time.monotonic() + seconds
        worker.flush()
        thread.join(max(seconds - _GIVING_BACK, 0))
        worker.stop()
        thread.join(max(end - time.monotonic(), 0))
        worker.finish(max(end - time.monotonic(), 0))
        self._worker = self._thread = None

    def forget(self) -> None:
        """In the child of a fork: the parent's thread is not there."""
        self._lock = threading.Lock()
        self._worker = self._thread = None


MODE = Thread()
atexit.register(MODE.stop)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=MODE.forget)
