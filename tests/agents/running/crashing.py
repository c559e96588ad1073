"""Owns the processes that work on a run and are killed at a point of its loop, as by ``kill -9``.

What is done is what was committed, so the points are before and after each commit. One process imports Django and the
SDK once, and forks for each run. Must not know what is left behind, and imports nothing of Django at its top.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from multiprocessing.connection import Connection
from typing import Any

from tests.concurrency.racers import CONTEXT, PATIENCE, join


class Nursery:
    """A process that works on runs in children of its own, and kills them where it is told to."""

    def __init__(self, database: str, environment: dict[str, str]) -> None:
        self._end, theirs = CONTEXT.Pipe()
        self._process = CONTEXT.Process(target=_nurse, args=(database, environment, theirs), daemon=True)
        self._process.start()
        theirs.close()
        assert self._end.recv() == "ready"

    def work_on(self, run: int, *, points: int | None = None) -> int:
        """Work on a run until its end, or until that many points were passed. How many it were; −1 for a kill."""
        self._end.send((run, points))
        found = self._end.recv()
        assert isinstance(found, int), found
        return found

    def close(self) -> None:
        self._end.close()
        self._process.join(PATIENCE)


def _nurse(database: str, environment: dict[str, str], end: Connection) -> None:
    join(database)
    os.environ.update(environment)
    from django.db import connections

    from fsm_lifecycle.agents import registry
    from tests.agents.running.agents_at_work import Mortal

    registry.register(Mortal)
    _warm_up()

    end.send("ready")
    while True:
        try:
            run, points = end.recv()
        except EOFError:
            return
        connections.close_all()
        ours, theirs = os.pipe()
        child = os.fork()
        if not child:
            _child(run, points, theirs)
        os.close(theirs)
        with os.fdopen(ours) as pipe:
            said = pipe.read()
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
            end.send(-1)
        else:
            end.send(int(said) if said.isdigit() else said or "nothing said")


def _warm_up() -> None:
    """Ask once, so that what the SDK loads when it is used first is there before the forks."""
    from fsm_lifecycle.agents.providers import ModelRequest, provider_for
    from tests.agents.running.conftest import MODEL

    hello = [{"role": "user", "content": "Hello?"}]
    asked = ModelRequest(system="", messages=hello, tools=[], max_tokens=10, seconds=30)
    list(provider_for(MODEL).stream(asked))


def _child(run: int, points: int | None, pipe: int) -> None:
    """Never returns: what a forked process inherited is not its own to clean up."""
    try:
        from fsm_lifecycle.agents.runs import execute

        counter = _Countdown(sys.maxsize if points is None else points)
        counter.watch()
        execute(run)
        os.write(pipe, str(counter.passed_so_far).encode())
    except BaseException:
        os.write(pipe, traceback.format_exc().encode())
    finally:
        os._exit(0)


class _Countdown:
    """Kills this process before or after a commit, so many points from now."""

    def __init__(self, points: int) -> None:
        self.points = points
        self.passed_so_far = 0

    def watch(self) -> None:
        """Pass a point before and after each commit to the database from here on."""
        from django.db.backends.base.base import BaseDatabaseWrapper

        commit = BaseDatabaseWrapper._commit  # type: ignore[attr-defined]

        def counted(connection: Any) -> Any:
            self._passed()
            result = commit(connection)
            self._passed()
            return result

        BaseDatabaseWrapper._commit = counted  # type: ignore[attr-defined]

    def _passed(self) -> None:
        self.passed_so_far += 1
        if self.passed_so_far >= self.points:
            os.kill(os.getpid(), signal.SIGKILL)
