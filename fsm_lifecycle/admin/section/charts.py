"""Owns the geometry of charts: numbers become places in a drawing, as text that no locale changes.

Must not know HTML, nor what the numbers count.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle."""

    x: str
    y: str
    width: str
    height: str
    kind: str = "fill"


@dataclass(frozen=True, slots=True)
class Mark:
    """A line across, or a text."""

    at: str
    text: str
    anchor: str = "middle"


def spark(values: Sequence[int], width: float = 160, height: float = 32) -> list[Bar]:
    """One bar for each value; those of zero are left out."""
    most = max(values, default=0)
    if not most:
        return []
    step = width / len(values)
    bars = []
    for place, value in enumerate(values):
        if value:
            tall = max(1.0, value / most * height)
            bars.append(Bar(_n(place * step + step * 0.08), _n(height - tall), _n(step * 0.84), _n(tall)))
    return bars


@dataclass(frozen=True, slots=True)
class Days:
    """Two numbers for each day, one on the other, in a drawing of 880 by 140."""

    bars: list[Bar]
    grid: list[Mark]
    days: list[Mark]


def days(first: date, below: Sequence[int], above: Sequence[int]) -> Days:
    """``below`` and ``above``: a number for each day from ``first`` on."""
    left, right, base, top = 30.0, 880.0, 110.0, 8.0
    number = len(below)
    step = (right - left) / max(number, 1)
    most = max((a + b for a, b in zip(below, above, strict=True)), default=0)
    ticks = _ticks(most)
    scale = (base - top) / max(most, ticks[-1] if ticks else 1, 1)
    bars = []
    for place, (low, high) in enumerate(zip(below, above, strict=True)):
        x, wide, y = left + 1 + place * step, step - 2, base
        for value, kind in ((low, "fired"), (high, "refused")):
            if value:
                tall = max(1.0, value * scale)
                y -= tall
                bars.append(Bar(_n(x), _n(y), _n(wide), _n(tall), kind))
                y -= 1 if kind == "fired" else 0
    labels = []
    for place in range(0, number, 14):
        if place and number - 1 - place < 7:
            continue
        anchor = "start" if not place else "middle"
        labels.append(Mark(_n(left + (place + 0.5) * step), _day(first + timedelta(days=place)), anchor))
    if number > 1:
        labels.append(Mark(_n(right), _day(first + timedelta(days=number - 1)), "end"))
    return Days(bars, [Mark(_n(base - tick * scale), _round(tick, ticks[-1])) for tick in ticks], labels)


def _ticks(most: int) -> list[int]:
    """Two or three round numbers up to the highest."""
    if most < 1:
        return []
    rough = most / 2
    size = 10 ** math.floor(math.log10(max(rough, 1)))
    step = next(int(size * factor) for factor in (1, 2, 5, 10) if size * factor >= rough * 0.7)
    return list(range(step, most + 1, step)) or [most]


def _round(number: int, highest: int) -> str:
    """A round number that has room beside the chart: ``20k``. All lines of a chart are in the unit of the highest."""
    for size, unit in ((1_000_000, "M"), (1000, "k")):
        if highest >= size * 10:
            return f"{number / size:g}{unit}"
    return f"{number:,}"


def _day(day: date) -> str:
    return f"{day.day} {day:%b}"


def _n(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def share(value: int, most: int) -> str:
    """How long a bar of 100 is."""
    return _n(value / most * 100) if most else "0"


# --- how long things take -----------------------------------------------------------------------------------

#: Where a scale of time has its lines: seconds and what stands there.
_TIMES: Final = (
    (1, "1 s"), (60, "1 min"), (3600, "1 h"), (86_400, "1 d"), (604_800, "1 wk"), (2_629_800, "1 mo"),
    (31_557_600, "1 y"), (315_576_000, "10 y"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Range:
    """From a median to the time within which nine of ten were over."""

    label: str
    tone: str
    y: str
    text_y: str
    median: str
    ninety: str
    value: str
    value_x: str
    value_y: str
    value_anchor: str


@dataclass(frozen=True, slots=True)
class Ranges:
    """Some of them under each other on a logarithmic scale, 430 wide."""

    height: int
    bottom: int
    rows: list[Range]
    grid: list[Mark]


def ranges(measured: Sequence[tuple[str, str, timedelta, timedelta]]) -> Ranges:
    """``measured``: label, tone, median and nine of ten for each row."""
    left, right = 122.0, 416.0
    lengths = [max(1.0, one.total_seconds()) for *_, median, ninety in measured for one in (median, ninety)]
    low = max([place for place, (at, _) in enumerate(_TIMES) if at <= min(lengths, default=1)], default=0)
    high = next(
        (place for place, (at, _) in enumerate(_TIMES) if at >= max(lengths, default=1)), len(_TIMES) - 1
    )
    high = max(high, min(low + 1, len(_TIMES) - 1))
    low = min(low, high - 1)
    first, last = math.log(_TIMES[low][0]), math.log(max(_TIMES[high][0], *lengths, 2))

    def at(length: timedelta) -> float:
        seconds = max(1.0, length.total_seconds())
        return left + (math.log(seconds) - first) / (last - first) * (right - left)

    rows = []
    for place, (label, tone, median, ninety) in enumerate(measured):
        y, x = 14 + place * 30, at(median)
        leaves_room = x - left > 46
        rows.append(
            Range(
                label=label,
                tone=tone,
                y=_n(y),
                text_y=_n(y + 4),
                median=_n(x),
                ninety=_n(max(at(ninety), x)),
                value=short(median),
                value_x=_n(x - 8 if leaves_room else x - 4),
                value_y=_n(y + 4 if leaves_room else y - 8),
                value_anchor="end" if leaves_room else "start",
            )
        )
    grid = [Mark(_n(at(timedelta(seconds=_TIMES[p][0]))), _TIMES[p][1]) for p in range(low, high + 1)]
    bottom = len(measured) * 30
    return Ranges(bottom + 22, bottom, rows, grid)


def short(length: timedelta) -> str:
    """A length of time in one number: ``4.9 h``."""
    seconds = length.total_seconds()
    for size, unit in ((31_557_600, "y"), (86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            value = seconds / size
            text = f"{value:.0f}" if value >= 10 else f"{value:.1f}".removesuffix(".0")
            return f"{text} {unit}"
    return f"{seconds:.0f} s"
