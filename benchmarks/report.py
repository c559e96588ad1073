"""What a run says: tables and verdicts in Markdown, and the facts of the machine they were taken on.

Must not know how a figure is taken.
"""

from __future__ import annotations

import os
import platform
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version

from benchmarks.timing import Spread

_PACKAGES = (
    "Django",
    "django-guardian",
    "django-fsm-2",
    "django-fsm-log",
    "django-viewflow",
    "python-statemachine",
    "psycopg",
)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A target and what was measured for it."""

    target: str
    where: str
    limit: float
    measured: Spread
    unit: str = "×"  # noqa: RUF001 - times

    @property
    def met(self) -> bool:
        """Whether the median is within the limit."""
        return self.measured.median <= self.limit

    def row(self) -> list[str]:
        """The verdict as cells."""
        limit = f"{self.limit:g} {self.unit}"
        return [
            self.target,
            self.where,
            limit,
            f"{self.measured} {self.unit}",
            "met" if self.met else "missed",
        ]


@dataclass(frozen=True, kw_only=True)
class Section:
    """One table with a heading, a paragraph above it, and the verdicts it supports."""

    title: str
    about: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    verdicts: Sequence[Verdict] = field(default_factory=list)

    def markdown(self) -> str:
        """Heading, paragraph and table."""
        return f"## {self.title}\n\n{self.about}\n\n{table(self.columns, self.rows)}\n"


def microseconds(seconds: float) -> str:
    """Microseconds with as many digits as they deserve."""
    value = seconds * 1e6
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, padded so that it also reads well as text; all but the first column to the right."""
    widths = [max(len(row[i]) for row in [columns, *rows]) for i in range(len(columns))]

    def line(cells: Sequence[str]) -> str:
        first, *rest = zip(cells, widths, strict=True)
        return (
            "| " + " | ".join([first[0].ljust(first[1]), *(text.rjust(width) for text, width in rest)]) + " |"
        )

    rule = "|" + "|".join(["-" * (widths[0] + 2), *("-" * (width + 1) + ":" for width in widths[1:])]) + "|"
    return "\n".join([line(columns), rule, *(line(row) for row in rows)])


def machine_facts(postgres_version: str | None, load: float) -> list[list[str]]:
    """What the figures were taken on and when; ``load`` is the average of the minute before the run."""
    facts = [
        ["date", datetime.now(UTC).strftime("%Y-%m-%d")],
        ["cores", str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count())],
        ["load before the run", f"{load:.2f}"],
        ["system", f"{platform.system()} {platform.machine()}"],
        ["Python", platform.python_version()],
        ["SQLite", sqlite3.sqlite_version],
    ]
    if postgres_version:
        facts.append(["PostgreSQL", postgres_version])
    return facts + [[package, version(package)] for package in _PACKAGES]


def document(sections: Sequence[Section], facts: Sequence[Sequence[str]], how: str) -> str:
    """The whole page."""
    verdicts = [verdict.row() for section in sections for verdict in section.verdicts]
    ratios = (
        "Absolute times depend on the machine and on what else runs there. The ratios are taken round by round "
        "between neighbours in time, and are what the targets speak of. A spread is median (quartiles).\n"
    )
    parts = [
        "# Benchmarks\n",
        "This page is written by `python -m benchmarks --write docs/benchmarks.md`; do not edit it.\n",
        how + "\n",
        ratios,
        "## Machine\n",
        table(["fact", "value"], facts) + "\n",
    ]
    if verdicts:
        parts += [
            "## Targets\n",
            table(["target", "where", "at most", "measured", "verdict"], verdicts) + "\n",
        ]
    return "\n".join([*parts, *(section.markdown() for section in sections)])
