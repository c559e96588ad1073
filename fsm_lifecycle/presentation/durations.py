"""Owns how a length of time is said: at most two units, the second only where the first is small.

Must not know what it is the length of.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

#: Units in seconds, and up to how many of them the next smaller one is said as well.
_UNITS: Final = (("year", 31_557_600, 5), ("month", 2_629_800, 0), ("day", 86_400, 0), ("hour", 3600, 0))


def in_words(length: timedelta) -> str:
    """``3 years 7 months``, ``10 months``, ``3 days``, ``4 hours``, ``41 minutes``, ``12 seconds``."""
    seconds = max(0, int(length.total_seconds()))
    for place, (unit, size, both) in enumerate(_UNITS):
        if seconds >= size:
            count, rest = divmod(seconds, size)
            words = _counted(count, unit)
            if count <= both:
                smaller, smaller_size, _ = _UNITS[place + 1]
                if rest >= smaller_size:
                    words += f" {_counted(rest // smaller_size, smaller)}"
            return words
    if seconds >= 60:
        return _counted(seconds // 60, "minute")
    return _counted(seconds, "second")


def _counted(count: int, unit: str) -> str:
    return f"{count:,} {unit}" if count == 1 else f"{count:,} {unit}s"
