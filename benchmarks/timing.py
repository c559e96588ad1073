"""How a figure is taken: tasks in turn, round by round, and the medians and ratios that come of it.

Must not know what a task does.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

#: Does some work and returns how many operations it made; the whole call is timed.
Task = Callable[[], int]


@dataclass(frozen=True, kw_only=True)
class Spread:
    """A median with its quartiles."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: list[float]) -> Spread:
        """The median and the quartiles of the values (of fewer than four: the extremes)."""
        if len(values) < 4:
            return cls(median=statistics.median(values), low=min(values), high=max(values))
        low, middle, high = statistics.quantiles(values, n=4)
        return cls(median=middle, low=low, high=high)

    def times(self, factor: float) -> Spread:
        """The same in another unit."""
        return Spread(median=self.median * factor, low=self.low * factor, high=self.high * factor)

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f}–{self.high:.2f})"


@dataclass(frozen=True)
class Samples:
    """One task's figures, one per round, in seconds per operation."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def wall_spread(self) -> Spread:
        """Seconds per operation on the clock."""
        return Spread.of(self.wall)

    def cpu_spread(self) -> Spread:
        """Seconds per operation of this process's CPU."""
        return Spread.of(self.cpu)

    def ratio_to(self, other: Samples) -> Spread:
        """How many times the other's wall time this takes, compared round by round."""
        return Spread.of([mine / theirs for mine, theirs in zip(self.wall, other.wall, strict=True)])


def interleave(tasks: Mapping[str, Task], rounds: int) -> dict[str, Samples]:
    """Run every task once per round, starting each round with another, and keep what each took.

    Interleaving makes a slow moment of the machine hit all of them; ratios are then taken round by round.
    One unmeasured call of each comes first, so that no figure contains a first time.
    """
    names = list(tasks)
    samples = {name: Samples() for name in names}
    for task in tasks.values():
        task()
    for turn in range(rounds):
        start = turn % len(names)
        for name in names[start:] + names[:start]:
            gc.collect()
            cpu, wall = time.process_time(), time.perf_counter()
            operations = tasks[name]()
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            samples[name].wall.append(wall / operations)
            samples[name].cpu.append(cpu / operations)
    return samples
