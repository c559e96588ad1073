"""A run in the hands of who works on it: everything is written under the lease's fencing number.

Who slept past its lease writes nothing more. Must not know what is written.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from django.contrib.auth import get_user_model
from django.db import DatabaseError, connections
from django.db.models import Max, QuerySet
from django.utils import timezone

from fsm_lifecycle.agents.event import AgentEvent, record
from fsm_lifecycle.agents.loop.ending import Ending
from fsm_lifecycle.agents.message import AgentMessage
from fsm_lifecycle.agents.run import QUEUED, RUNNING, WAITING, AgentRun
from fsm_lifecycle.dispatch.work import LeaseLost
from fsm_lifecycle.transactions import is_conflict, writing

T = TypeVar("T")

#: Told of each new event, in its order, after it was committed.
Listener = Callable[[AgentEvent], None]

_TRIES: Final = 5


class Held:
    """A run under its lease."""

    def __init__(
        self, run: AgentRun, listen: Listener | None = None, stopped: Callable[[], bool] = bool
    ) -> None:
        self.run = run
        self.using = run._state.db or "default"
        self.listen = listen
        self.stopped = stopped
        """Whether the process that works on it was told to stop it."""
        self._told = 0
        if listen is not None:
            self._told = self.events.aggregate(last=Max("seq"))["last"] or 0
        self._began = time.monotonic()
        self._before = run.seconds

    @property
    def seconds(self) -> float:
        """How long the run has been worked on, until now."""
        return self._before + time.monotonic() - self._began

    @property
    def events(self) -> QuerySet[AgentEvent]:
        """What has happened in it."""
        return AgentEvent.objects.using(self.using).filter(run_id=self.run.pk)

    @property
    def messages(self) -> QuerySet[AgentMessage]:
        """What was said in it, in order."""
        return AgentMessage.objects.using(self.using).filter(run_id=self.run.pk).order_by("seq")

    @property
    def _mine(self) -> QuerySet[AgentRun]:
        rows: QuerySet[AgentRun] = QuerySet(AgentRun, using=self.using)
        return rows.filter(pk=self.run.pk, fence=self.run.fence, holder=self.run.holder)

    def write(self, work: Callable[[], T] | None = None, /, **changes: Any) -> T | None:
        """One step: ``changes`` to the run's row, and what ``work`` writes, together or not at all.

        Raises ``LeaseLost`` where another has the run.
        """
        nested = connections[self.using].in_atomic_block
        for tries_left in reversed(range(_TRIES)):
            try:
                result = self._write(work, changes)
                break
            except DatabaseError as error:
                if nested or not tries_left or not is_conflict(error):
                    raise
                time.sleep(random.uniform(0.002, 0.02))  # noqa: S311 - spreads contenders, no secret
        for name, value in changes.items():
            # In memory the lease keeps its name: under no name at all the heartbeat would find the row again.
            if name not in _FREE:
                setattr(self.run, name, value)
        self.tell()
        return result

    def _write(self, work: Callable[[], T] | None, changes: Mapping[str, Any]) -> T | None:
        with writing(self.using, savepoint=True):
            # First, because it locks the row: the steps of a run stand in a line, and so do its events.
            if not self._mine.update(**{"seconds": self.seconds, **changes}):
                raise LeaseLost(str(self.run))
            return None if work is None else work()

    def event(self, kind: str, payload: Mapping[str, Any], *, call: str | None = None) -> AgentEvent:
        """Write an event down, inside a step."""
        return record(self.run, kind, payload, call=call)

    def say(self, seq: int, role: str, content: list[Any]) -> AgentMessage:
        """Write a message down, inside a step."""
        message = AgentMessage(run_id=self.run.pk, seq=seq, role=role, content=content)
        message.save(using=self.using, force_insert=True)
        return message

    def tell(self) -> None:
        """Tell the listener what is new, also what others wrote."""
        if self.listen is None:
            return
        for event in self.events.filter(seq__gt=self._told).order_by("seq"):
            self._told = event.seq
            self.listen(event)

    # What is read anew each time

    def stop_requested(self) -> bool:
        """Whether somebody pressed stop. Raises ``LeaseLost``."""
        found = self._mine.values_list("stop_requested", flat=True).first()
        if found is None:
            raise LeaseLost(str(self.run))
        return found or self.stopped()

    def user(self) -> Any:
        """The user as the database has it now; ``None`` where the account is gone or deactivated."""
        if self.run.user_id is None:
            return None
        found = get_user_model()._base_manager.filter(pk=self.run.user_id).first()
        return found if found is not None and found.is_active else None

    # The ends of a stint

    def begin(self, **changes: Any) -> None:
        """The run is at work."""
        was = self.run.status
        at = {} if self.run.started_at else {"started_at": timezone.now()}
        if was in (QUEUED, WAITING):
            payload = {"status": RUNNING}
            self.write(lambda: self.event("status", payload), status=RUNNING, stop_reason="", **at, **changes)
        elif at or changes:
            self.write(**at, **changes)

    def wait(self, undecided: Callable[[], bool]) -> bool:
        """It waits for a person; nobody holds it. ``False`` where the decision has come, so that it can go on.

        A decision locks this row before it asks whether the run waits, so one of the two sees the other.
        """

        def begin() -> None:
            if not undecided():
                raise _DecidedMeanwhile
            self.event("status", {"status": WAITING, "stop_reason": "approval"})

        try:
            self.write(begin, status=WAITING, stop_reason="approval", **_FREE)
        except _DecidedMeanwhile:
            return False
        return True

    def end(self, ending: Ending, work: Callable[[], Any] | None = None, **changes: Any) -> None:
        """It is over; nobody holds it. ``work`` is written in the same step."""

        def both() -> None:
            if work is not None:
                work()
            payload = {"status": ending.status, "stop_reason": ending.reason}
            if ending.note:
                payload["note"] = ending.note
            self.event("status", payload)

        self.write(
            both,
            status=ending.status,
            stop_reason=ending.reason,
            finished_at=timezone.now(),
            **_FREE,
            **changes,
        )


class _DecidedMeanwhile(Exception):
    """Takes the step back in which the run would have begun to wait."""


# Without a holder the heartbeat finds nothing to renew.
_FREE: Final = {"lease_until": None, "holder": ""}
