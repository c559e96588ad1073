"""A progress bar for long work on a terminal, and nothing of it elsewhere. Must not know the work."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from django.core.management.base import OutputWrapper

WIDTH = 40


class Progress:
    """``progress(done, total)`` draws one line over and over."""

    def __init__(self, label: str, stream: TextIO | OutputWrapper) -> None:
        self.label = label
        self.stream = stream
        self.shown = -1

    def __call__(self, done: int, total: int) -> None:
        """Draw, unless the same percentage stands there already."""
        percent = 100 if total == 0 else done * 100 // total
        if percent == self.shown:
            return
        self.shown = percent
        bar = "█" * (percent * WIDTH // 100)
        self._write(f"\r{self.label} {bar:<{WIDTH}} {percent:3d} %  {done:,} of {total:,}")

    def _write(self, text: str) -> None:
        if isinstance(self.stream, OutputWrapper):
            self.stream.write(text, ending="")
        else:
            self.stream.write(text)
        self.stream.flush()


def _silent(done: int, total: int) -> None:
    """Progress where nobody looks."""


@contextmanager
def progress_bar(
    label: str, stream: TextIO | OutputWrapper | None = None
) -> Iterator[Callable[[int, int], None]]:
    """A ``progress(done, total)`` for the block; it draws only when standard output is a terminal."""
    target = stream or sys.stderr
    if not (sys.stdout.isatty() and target.isatty()):
        yield _silent
        return
    bar = Progress(label, target)
    try:
        yield bar
    finally:
        bar._write("\n")
