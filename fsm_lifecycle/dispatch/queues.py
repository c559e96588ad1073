"""Owns the queues: sources of rows that are due, each worked off in parallel. Must not know what the rows are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from fsm_lifecycle.dispatch.leased import Leased


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """Rows of one model that are worked on when they are due."""

    name: str
    label: str
    """What people call it."""
    model: type[Leased]
    ready: Callable[[str], QuerySet[Any]]
    """Of a database, the rows that may be claimed. Whether they are due and free is added."""
    work: Callable[[str, Sequence[Any], Callable[[], bool]], None]
    """Works on claimed rows and settles each. Once its last argument says that it is to stop, it begins nothing more
    and gives back what it has not begun. What it leaves unsettled comes back when the lease ends."""
    width: int = 4
    """How many threads of one worker work on it at most."""
    batch: int = 1
    """How many rows a thread claims at once."""
    whole: Callable[[str], QuerySet[Any]] | None = None
    """Everything that is ready, where ``ready`` gives a part at a time. There may then be work for another thread
    although a claim was not full."""
    at_exit: bool = False
    """Whether a process that ends works on it once more: work that is short, or can be stopped soon."""


_queues: dict[str, Queue] = {}


def register(queue: Queue) -> Queue:
    """Make a queue known. The same name again replaces what it stood for."""
    _queues[queue.name] = queue
    return queue


def get(name: str) -> Queue | None:
    """The queue of that name."""
    return _queues.get(name)


def all_queues() -> tuple[Queue, ...]:
    """Every queue, in the order they were registered."""
    return tuple(_queues.values())
