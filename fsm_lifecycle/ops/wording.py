"""Owns how figures are set for a person at a terminal: columns, durations, numbers. Must not know what they mean."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from textwrap import wrap

WIDTH = 100


def aligned(rows: Sequence[Sequence[str]], sides: str, *, indent: int = 2) -> Iterator[str]:
    """Rows as lines of columns; ``sides`` has ``<`` or ``>`` for each column."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (f"{cell:{side}{width}}" for cell, side, width in zip(row, sides, widths, strict=True))
        yield " " * indent + "  ".join(cells).rstrip()


def wrapped(text: str, *, indent: int = 2) -> Iterator[str]:
    """A sentence or more as lines of readable length. Names and paths stay in one piece."""
    margin = " " * indent
    yield from wrap(
        text,
        WIDTH,
        initial_indent=margin,
        subsequent_indent=margin,
        break_long_words=False,
        break_on_hyphens=False,
    )


def in_words(length: timedelta | None) -> str:
    """A duration in at most two units; ``none`` where there is none."""
    if length is None:
        return "none"
    if length < timedelta(seconds=1):
        return f"{length // timedelta(milliseconds=1)} ms"
    seconds = int(length.total_seconds())
    days, seconds = divmod(seconds, 86_400)
    hours, seconds = divmod(seconds, 3_600)
    minutes, seconds = divmod(seconds, 60)
    parts = [(days, "day" if days == 1 else "days"), (hours, "h"), (minutes, "min"), (seconds, "s")]
    while parts[0][0] == 0:
        parts.pop(0)
    return " ".join(f"{number:,} {unit}" for number, unit in parts[:2] if number)


def difference(before: int, after: int) -> str:
    """By how much a number has changed: ``+12``, ``−3``, ``0``."""
    change = after - before
    return f"+{change:,}" if change > 0 else f"−{-change:,}" if change else "0"


def share(part: int, whole: int) -> str:
    """A part of a whole in percent."""
    return f"{part * 100 / whole:.1f} %" if whole else "–"
