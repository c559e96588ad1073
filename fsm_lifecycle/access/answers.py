"""What was read about grants, kept for the length of a request or of one page of records.

Firing never looks here. Everything kept is let go as soon as a grant changes in this process. Must not know what
the answers mean.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any, Final

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

#: How many records of a page are asked about together.
AROUND: Final = 200

#: For how many seconds a page outside a request keeps what it was told.
MAX_AGE: Final = 5.0

_generation = 0
_lock = threading.Lock()


class Answers:
    """Answers that are good until a grant changes. A mapping that empties itself."""

    __slots__ = ("_generation", "_held")

    def __init__(self) -> None:
        self._generation = _generation
        self._held: dict[Any, Any] = {}

    @property
    def held(self) -> dict[Any, Any]:
        """What is still good."""
        if self._generation != _generation:
            self._generation = _generation
            self._held = {}
        return self._held


class Page:
    """Records that were loaded together, so that they are asked about together.

    Outside a request it keeps the answers itself, and gives each of them once: who asks the same again about the
    same record, or asks seconds later, is told what the database says by then.
    """

    __slots__ = ("_asked", "_places", "_since", "answers", "keys")

    def __init__(self, keys: Sequence[Any]) -> None:
        self.keys = keys
        self.answers = Answers()
        self._places: dict[Any, int] | None = None
        self._asked: set[Any] = set()
        self._since = 0.0

    def once(self, question: Any) -> dict[Any, Any]:
        """What is held for a question. Empty when that was asked before, or long ago: then all is read anew."""
        now = time.monotonic()
        if question in self._asked or now - self._since > MAX_AGE:
            self._asked.clear()
            self.answers.held.clear()
            self._since = now
        self._asked.add(question)
        return self.answers.held

    def around(self, key: Any) -> Sequence[Any]:
        """The keys that are asked about together with this one."""
        if self._places is None:
            self._places = {held: place for place, held in enumerate(self.keys)}
        place = self._places.get(key)
        if place is None:
            return [key]
        start = place // AROUND * AROUND
        return self.keys[start : start + AROUND]


_kept: ContextVar[Answers | None] = ContextVar("fsm_lifecycle_answers", default=None)


@contextmanager
def keeping_answers() -> Iterator[None]:
    """Inside, an answer is asked for once: a request, or a task."""
    token = _kept.set(Answers())
    try:
        yield
    finally:
        _kept.reset(token)


def kept(using: str) -> Answers | None:
    """The answers of this request or task; ``None`` outside one."""
    settle(using)
    return _kept.get()


def forget(using: str) -> None:
    """A grant changes: let go of everything that is kept in this process, now and when the change is committed."""
    settle(using)
    _pass()
    connection = connections[using]
    if connection.in_atomic_block:
        # One mark for each savepoint, because each may be rolled back by itself.
        marks, place = _marks(connection), tuple(connection.savepoint_ids)
        if place not in marks:
            marks[place] = partial(_committed, marks)
            transaction.on_commit(marks[place], using=using)


def settle(using: str) -> None:
    """Let go of what was read after a change that has been rolled back since: Django tells nobody of that."""
    connection = connections[using]
    marks = _marks(connection)
    if not marks:
        return
    waiting = {id(entry[1]) for entry in connection.run_on_commit}
    open_now = connection.savepoint_ids
    still: dict[Any, Any] = {}
    gone = False
    for place, mark in marks.items():
        if id(mark) in waiting:
            # A savepoint that was released shares the fate of the one around it: as many marks as are open.
            still.setdefault(tuple(_common(place, open_now)), mark)
        else:
            gone = True
    marks.clear()
    marks.update(still)
    if gone:
        _pass()


def _common(one: Sequence[Any], other: Sequence[Any]) -> Iterator[Any]:
    for mine, theirs in zip(one, other, strict=False):
        if mine != theirs:
            return
        yield mine


def _marks(connection: BaseDatabaseWrapper) -> dict[Any, Any]:
    """The changes that are not committed yet, of this thread's connection."""
    marks: dict[Any, Any] | None = getattr(connection, "lifecycle_changes", None)
    if marks is None:
        marks = connection.lifecycle_changes = {}  # type: ignore[attr-defined]
    return marks


def _committed(marks: dict[Any, Any]) -> None:
    marks.clear()
    _pass()


def _pass() -> None:
    global _generation
    with _lock:
        _generation += 1
