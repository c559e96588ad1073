"""Owns what happens at a commit that left work behind: whoever works is woken, and the commit does not wait for it.

Must not know the modes but by name, nor what the work is.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache, partial
from importlib import import_module
from typing import Final, Protocol

from django.core.exceptions import ImproperlyConfigured
from django.db import connections, transaction

from fsm_lifecycle import conf

logger = logging.getLogger("fsm_lifecycle")

#: The modes and the modules that carry them out.
MODES: Final = ("celery", "command", "inline", "tasks", "thread")


class Mode(Protocol):
    """How work gets done. No function may block, or raise for a broker that is away."""

    def listens(self) -> bool:
        """Whether it wants to be told of commits at all."""

    def wake(self, using: str) -> None:
        """Something was committed to the log of this database."""

    def offer(self, queue: str, using: str) -> None:
        """Rows that are due were committed to this queue."""


def current() -> Mode:
    """The mode that ``DISPATCH`` names. Raises ``ImproperlyConfigured`` for a name there is none of."""
    return _mode(conf.dispatch())


@cache
def _mode(name: str) -> Mode:
    if name not in MODES:
        raise ImproperlyConfigured(
            f"FSM_LIFECYCLE['DISPATCH'] is {name!r}. Choose one of: {', '.join(MODES)}."
        )
    mode: Mode = import_module(f"fsm_lifecycle.dispatch.modes.{name}").MODE
    return mode


def wake(using: str) -> None:
    """Have what follows the log run soon after the open transaction commits. Costs the transaction next to nothing."""
    _after_commit(using, _waker(using))


def offer(queue: str, using: str) -> None:
    """Have due rows of a queue worked on soon after the open transaction commits."""
    _after_commit(using, _offerer(queue, using))


def _after_commit(using: str, hook: Callable[[], None]) -> None:
    if not current().listens():
        return
    connection = connections[using]
    if connection.in_atomic_block:
        waiting = connection.run_on_commit
        # A thousand firings in one transaction wake once.
        if waiting and waiting[-1][1] is hook and waiting[-1][0] == set(connection.savepoint_ids):
            return
    transaction.on_commit(hook, using=using, robust=True)


@cache
def _waker(using: str) -> Callable[[], None]:
    return partial(_wake, using)


@cache
def _offerer(queue: str, using: str) -> Callable[[], None]:
    return partial(_offer, queue, using)


def _wake(using: str) -> None:
    current().wake(using)


def _offer(queue: str, using: str) -> None:
    current().offer(queue, using)
