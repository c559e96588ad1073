"""Owns working: everything that is due, once or until told to stop, in this process.

All modes come here in the end. Must not know what the work is, nor who asked for it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final

from django.db import connections

from fsm_lifecycle.dispatch import leases, pacing
from fsm_lifecycle.dispatch.databases import may_be_away
from fsm_lifecycle.dispatch.forking import at_work
from fsm_lifecycle.dispatch.leased import Leased
from fsm_lifecycle.dispatch.queues import Queue, all_queues
from fsm_lifecycle.dispatch.routines import Routine, all_routines

logger = logging.getLogger("fsm_lifecycle")

#: Seconds between two looks at the database while there is work, and at most when there was none for a while.
BUSY: Final = 1.0
IDLE: Final = 10.0
#: Rounds of ``work_off`` at most: work that makes work forever does not hold it for ever.
ROUNDS: Final = 1000


def drain(
    queue: Queue, using: str, *, stopped: Callable[[], bool] = bool, more: Callable[[], None] | None = None
) -> int:
    """Work on what is due in a queue until nothing is; how many rows it were.

    ``more`` is called when there seems to be work for another thread beside this one.
    """
    count = 0
    while not stopped():
        with at_work():
            rows = leases.claim(queue.ready(using), limit=queue.batch)
        if not rows:
            break
        if more is not None and (len(rows) == queue.batch or (queue.whole and _has_due(queue, using))):
            more()
        with leases.holding(rows), at_work():
            _work_on(queue, using, rows, stopped)
        count += len(rows)
    return count


def _has_due(queue: Queue, using: str) -> bool:
    return leases.due(queue.ready(using)).exists()


def _work_on(queue: Queue, using: str, rows: Sequence[Leased], stopped: Callable[[], bool]) -> None:
    try:
        queue.work(using, rows, stopped)
    except Exception:
        logger.exception(
            "The queue %s of the database %s left work undone; it comes back.", queue.name, using
        )
        if not connections[using].in_atomic_block:
            connections[using].close()  # a connection that broke is not used again


class Crew:
    """The threads of this process that work on one queue: begun when there is work, gone when there is none."""

    def __init__(self, queue: Queue, using: str, stopped: Callable[[], bool] = bool) -> None:
        self.queue, self.using, self.stopped = queue, using, stopped
        self.done = 0
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()

    def poke(self) -> None:
        """See to it that somebody works, if there is room for one more."""
        with self._lock:
            if len(self._threads) >= self.queue.width or self.stopped():
                return
            name = f"fsm_lifecycle {self.queue.name}"
            thread = threading.Thread(target=self._work, name=name, daemon=True)
            with suppress(RuntimeError):  # a process that ends begins no thread; its last round does the work
                thread.start()
                self._threads.add(thread)  # while nobody can see it, and it cannot end

    def _work(self) -> None:
        try:
            count = drain(self.queue, self.using, stopped=self.stopped, more=self.poke)
            with self._lock:
                self.done += count
        except Exception:
            logger.exception(
                "The queue %s of the database %s stopped; it is begun again.", self.queue.name, self.using
            )
        finally:
            with at_work():  # a fork in the middle would take a lock of the client's along
                connections.close_all()
            with self._lock:
                self._threads.discard(threading.current_thread())

    def has_work(self) -> bool:
        """Whether there are rows that are due and free, asked in the database."""
        return _has_due(self.queue, self.using)

    @property
    def has_room(self) -> bool:
        """Whether one more thread may work."""
        with self._lock:
            return len(self._threads) < self.queue.width

    def wait(self, seconds: float | None = None) -> bool:
        """Until nobody works any more. ``False`` when the time was up first."""
        end = None if seconds is None else time.monotonic() + seconds
        while True:
            with self._lock:
                threads = list(self._threads)
            if not threads:
                return True
            left = None if end is None else end - time.monotonic()
            if left is not None and left <= 0:
                return False
            threads[0].join(left)


def work_off(
    using: str = "default",
    *,
    stopped: Callable[[], bool] = bool,
    routines: Sequence[Routine] | None = None,
    queues: Sequence[Queue] | None = None,
    alone: bool | None = None,
) -> int:
    """Do everything that is due in a database, and what comes of it, until nothing is; how much there was.

    - ``routines``: which of them run, whatever their pace: by default all.
    - ``queues``: which of them are worked on: by default all.
    - ``alone``: in this thread and connection only. By default so inside a transaction and for a database in memory,
      which other threads could not see; else each queue has its threads, so that slow work holds up no other.
    """
    if alone is None:
        alone = _must_be_alone(using)
    count = 0
    routines = all_routines() if routines is None else routines
    queues = all_queues() if queues is None else queues
    for _ in range(ROUNDS):
        if stopped():
            break
        found = sum(pacing.run(routine, using, now=True) for routine in routines if not stopped())
        found += _queues_once(queues, using, stopped, alone)
        count += found
        if not found:
            break
    return count


def _must_be_alone(using: str) -> bool:
    connection: Any = connections[using]
    return bool(connection.in_atomic_block) or (
        connection.vendor == "sqlite" and connection.is_in_memory_db()
    )


def _queues_once(queues: Sequence[Queue], using: str, stopped: Callable[[], bool], alone: bool) -> int:
    if alone:
        return sum(drain(queue, using, stopped=stopped) for queue in queues)
    crews = [crew for queue in queues if (crew := Crew(queue, using, stopped)).has_work()]
    for crew in crews:
        crew.poke()
    for crew in crews:
        crew.wait()
    return sum(crew.done for crew in crews)


def work_on_queue(queue: Queue, using: str, stopped: Callable[[], bool]) -> int:
    """Do what is due in one queue until nothing is; how many rows it were."""
    if _must_be_alone(using):
        return drain(queue, using, stopped=stopped)
    crew = Crew(queue, using, stopped)
    if crew.has_work():
        crew.poke()
        crew.wait()
    return crew.done


class Worker:
    """Works on some databases until ``stop()``: routines in one thread, the queues in threads of their own.

    ``idle``: seconds between two looks at the database, at most, while nothing is known to have happened.
    """

    def __init__(self, *databases: str, idle: float = IDLE) -> None:
        self._idle = idle
        self._databases: list[str] = []
        self._crews: dict[str, list[Crew]] = {}
        self._ran: dict[tuple[str, str], float] = {}
        self._woken: deque[str] = deque()  # added to by any thread while it is emptied
        self._adding = threading.Lock()
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._last = False
        self._quiet = BUSY
        for using in databases:
            self.add(using)

    def add(self, using: str) -> None:
        """Work on this database, too."""
        if using in self._databases:
            return
        with self._adding:
            if using not in self._databases:
                self._crews[using] = [Crew(queue, using, self._stop.is_set) for queue in all_queues()]
                self._databases.append(using)

    def wake(self, using: str) -> None:
        """Something was committed there."""
        self.add(using)
        self._woken.append(using)
        self._wake.set()

    def stop(self) -> None:
        """End when what is under way is done, and give back what has not begun; safe in a signal handler."""
        self._stop.set()
        self._wake.set()

    def flush(self) -> None:
        """End when what has been committed so far is done, in the worker's own thread."""
        self._last = True
        self._wake.set()

    @property
    def ends(self) -> bool:
        """Whether it was told to end, at once or after a last round."""
        return self._last or self.stopped

    @property
    def stopped(self) -> bool:
        """Whether it was told to end."""
        return self._stop.is_set()

    def run(self) -> None:
        """Work until told to stop."""
        try:
            while not self.stopped:
                self._wake.clear()
                woken = {self._woken.popleft() for _ in range(len(self._woken))}
                found = bool(woken)
                if self._last:
                    self._last_round()
                    break
                for using in list(self._databases):
                    found |= self._round(using, using in woken)
                self._quiet = BUSY if found else min(self._quiet * 1.5, self._idle)
                self._wake.wait(self._pause())
        finally:
            connections.close_all()

    def finish(self, seconds: float) -> bool:
        """Wait for the threads of the queues. ``False`` when the time was up first."""
        end = time.monotonic() + seconds
        crews = [crew for found in self._crews.values() for crew in found]
        return all(crew.wait(max(end - time.monotonic(), 0)) for crew in crews)

    def _last_round(self) -> None:
        """What commits may have left behind, and what comes of it. In this thread: a process that ends begins none."""
        routines = [routine for routine in all_routines() if routine.on_commit]
        queues = [queue for queue in all_queues() if queue.at_exit]
        again = True
        while again and not self.stopped:
            for using in list(self._databases):
                with may_be_away(using):
                    work_off(using, stopped=self._stop.is_set, routines=routines, queues=queues, alone=True)
            # Those that are at work may leave something behind, too.
            again = not self.finish(0)
            self.finish(BUSY)

    def _round(self, using: str, woken: bool) -> bool:
        found = False
        with at_work():
            with may_be_away(using):
                found = self._look(using, woken)
            if not found:
                connections[using].close()  # an idle worker holds no connection
        return found

    def _look(self, using: str, woken: bool) -> bool:
        found = False
        for routine in all_routines():
            if self.stopped:
                break
            if self._is_due(routine, using, woken):
                found |= bool(pacing.run(routine, using))
                self._ran[routine.name, using] = time.monotonic()
        for crew in self._crews[using]:
            if crew.has_room and crew.has_work():
                found = True
                crew.poke()
        return found

    def _is_due(self, routine: Routine, using: str, woken: bool) -> bool:
        since = time.monotonic() - self._ran.get((routine.name, using), float("-inf"))
        if since >= routine.every:
            return True
        if not (woken and routine.on_commit):
            return False
        if since >= routine.gap:
            return True
        self._woken.append(using)  # too soon: it is not forgotten
        return False

    def _pause(self) -> float:
        if self._woken:
            return 0.05
        return self._quiet
