"""Owns the processes that race: each is started once and then given task after task on the test's own database.

Must not know what they race for. Imports nothing of Django at its top, because a process imports it before Django
is set up.
"""

from __future__ import annotations

import importlib
import multiprocessing
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from threading import Barrier

COUNT = 8
#: Seconds after which a racer that does not come is given up.
PATIENCE = 100

# A server process that has Django loaded already and forks: a fork takes milliseconds, a new interpreter a second.
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["pytest", "tests.concurrency.ready"])


class RacerFailed(AssertionError):
    """A task raised in a racer; the message is the traceback there."""


@dataclass(frozen=True)
class Place:
    """What a racer knows of itself."""

    number: int
    """From 0 to ``COUNT`` − 1."""
    barrier: Barrier

    def ready(self) -> None:
        """Wait until every racer is here."""
        self.barrier.wait(PATIENCE)


class Racers:
    """``COUNT`` processes with connections of their own."""

    def __init__(self, database: str) -> None:
        self.barrier = CONTEXT.Barrier(COUNT)
        self.ends: list[Connection] = []
        self.processes = []
        for number in range(COUNT):
            ours, theirs = CONTEXT.Pipe()
            process = CONTEXT.Process(
                target=work, args=(Place(number, self.barrier), theirs, database), daemon=True
            )
            process.start()
            theirs.close()
            self.ends.append(ours)
            self.processes.append(process)

    def race(self, task: Callable[..., Any], *args: Any, **kwargs: Any) -> list[Any]:
        """Run ``task(place, *args)`` in all of them at once; what each returned, by its number.

        Raises ``RacerFailed`` when one of them raised.
        """
        self.barrier.reset()
        for end in self.ends:
            end.send((task, args, kwargs))
        answers = [end.recv() for end in self.ends]
        failures = [text for passed, text in answers if not passed and "BrokenBarrierError" not in text]
        failures += [text for passed, text in answers if not passed]
        if failures:
            raise RacerFailed(failures[0])
        return [answer for _, answer in answers]

    def one(self, task: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Run ``task(*args)`` in the first of them alone."""
        self.ends[0].send((_alone, (task, args), kwargs))
        passed, answer = self.ends[0].recv()
        if not passed:
            raise RacerFailed(answer)
        return answer

    def close(self) -> None:
        for end in self.ends:
            end.close()
        for process in self.processes:
            process.join(PATIENCE)


def _alone(place: Place, task: Callable[..., Any], args: tuple[Any, ...], **kwargs: Any) -> Any:
    return task(*args, **kwargs)


def join(database: str) -> None:
    """Set Django up in this process and point it at the test's database."""
    importlib.import_module("tests.concurrency.ready")
    from django.conf import settings
    from django.db import connection

    # Nobody works here but the tasks: in this process nothing tells the thread that it is a test run.
    settings.FSM_LIFECYCLE = {**getattr(settings, "FSM_LIFECYCLE", {}), "DISPATCH": "command"}
    connection.settings_dict["NAME"] = database
    if connection.vendor == "postgresql":
        # Who sees which row when is the same without waiting for the disk, and the races are tighter.
        connection.settings_dict["OPTIONS"]["options"] = "-c synchronous_commit=off"


def work(place: Place, end: Connection, database: str) -> None:
    """What each process does until its end of the pipe is closed."""
    join(database)
    from django.db import connections

    from fsm_lifecycle.ledger import definitions

    while True:
        try:
            task, args, kwargs = end.recv()
        except EOFError:
            return
        # The tests flush the database between two tasks, which no process of a real site lives through.
        definitions.forget("default")
        try:
            answer = (True, task(place, *args, **kwargs))
        except BaseException:
            place.barrier.abort()
            answer = (False, traceback.format_exc())
        finally:
            connections.close_all()
        end.send(answer)
