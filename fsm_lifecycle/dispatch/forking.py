"""Owns what happens when a process forks while its threads work: it waits a moment until they are between two pieces.

A child gets every lock of C code as it was, also those of threads that it does not have. Must not know the work.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

#: Seconds that a fork waits for work at most. Long work goes on: then the child takes its chance, as without this.
PATIENCE: Final = 1.0


class _Gate:
    """Who works is inside; while it is shut nobody goes in."""

    def __init__(self) -> None:
        self.change = threading.Condition()
        self.inside: list[int] = []
        self.shut = False

    def close(self) -> None:
        me = threading.get_ident()
        with self.change:
            self.shut = True
            self.change.wait_for(lambda: all(one == me for one in self.inside), PATIENCE)

    def open(self) -> None:
        with self.change:
            self.shut = False
            self.change.notify_all()


_gate = _Gate()


@contextmanager
def at_work() -> Iterator[None]:
    """Around one piece of work of a thread: a fork waits for its end, and it waits for the end of a fork."""
    gate, me = _gate, threading.get_ident()
    with gate.change:
        gate.change.wait_for(lambda: not gate.shut or me in gate.inside, PATIENCE)
        gate.inside.append(me)
    try:
        yield
    finally:
        with gate.change:
            gate.inside.remove(me)
            gate.change.notify_all()


def _before() -> None:
    _gate.close()


def _in_parent() -> None:
    _gate.open()


def _in_child() -> None:
    global _gate
    _gate = _Gate()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
