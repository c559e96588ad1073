"""How long a person waits for something out of a log of a million entries.

Must not know how the package asks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.db import connections

from benchmarks.databases import LABELS
from benchmarks.ledger_questions import (
    ACTOR,
    DASHBOARD,
    HISTORY,
    LOG_PAGE,
    PAGE,
    STUCK,
    Question,
    questions,
)
from benchmarks.ledger_rows import SPAN, Log
from benchmarks.report import Section, Verdict
from benchmarks.settings import bound_to
from benchmarks.timing import Samples, Spread, Task, interleave

#: The most milliseconds that the slowest question of each kind may take.
TARGETS = {HISTORY: 1.0, LOG_PAGE: 2.0, ACTOR: 2.0, STUCK: 1.0, DASHBOARD: 10.0}
CALLS = 20


def measure(logs: Sequence[Log], rounds: int) -> list[Section]:
    """All questions on all databases in turn; each alone first, to see that both ways give the same rows."""
    tasks: dict[str, Task] = {}
    asked = {log.alias: questions(log) for log in logs}
    for alias, all_of_it in asked.items():
        for question in all_of_it:
            _compare(alias, question)
            tasks[f"{alias} {question.name}"] = bound_to(alias, _repeat(question.ask))
            tasks[f"{alias} {question.name} by hand"] = bound_to(alias, _repeat(_sent(alias, question)))
    samples = interleave(tasks, rounds)
    return [_section(log, asked[log.alias], samples) for log in logs]


def _section(log: Log, asked: Sequence[Question], samples: Mapping[str, Samples]) -> Section:
    rows: list[list[str]] = []
    spreads: dict[str, list[Spread]] = {}
    where = LABELS[log.alias].partition(",")[0]
    for question in asked:
        mine = samples[f"{log.alias} {question.name}"]
        floor = samples[f"{log.alias} {question.name} by hand"]
        spread = mine.wall_spread().times(1000)
        cpu, by_hand = (f"{found.median * 1000:.2f}" for found in (mine.cpu_spread(), floor.wall_spread()))
        rows.append([question.name, str(spread), cpu, by_hand, str(mine.ratio_to(floor))])
        spreads.setdefault(question.target, []).append(spread)
    records = log.records[1] - log.records[0] + 1
    return Section(
        title=f"Reading a log of {log.entries:,} entries on {where}",
        about=(
            f"Of {records:,} records with ten entries each, over {SPAN.days} days; pages are {PAGE} entries as "
            "instances, newest first. A page further back follows any entry of the log; an actor's, any entry of the "
            "actor's. By hand: SQL on the cursor, the same rows, nothing made of them. CPU is this process's, without "
            "the database server's. The slowest question of each kind is what the targets speak of."
        ),
        columns=["question", "ms", "ms CPU", "by hand, ms", "× by hand"],  # noqa: RUF001
        rows=rows,
        verdicts=[
            Verdict(
                target=f"{log.entries:,} entries: {target}",
                where=where,
                limit=TARGETS[target],
                measured=max(found, key=lambda spread: spread.median),
                unit="ms",
            )
            for target, found in spreads.items()
        ],
    )


# --- asking -------------------------------------------------------------------------------------------------


def _sent(alias: str, question: Question) -> Callable[[], Sequence[Any]]:
    def send() -> Sequence[Any]:
        sql, parameters = question.by_hand()
        with connections[alias].cursor() as cursor:
            cursor.execute(sql, parameters)
            return list(cursor.fetchall())

    return send


def _repeat(ask: Callable[[], Sequence[Any]]) -> Task:
    def run() -> int:
        for _ in range(CALLS):
            ask()
        return CALLS

    return run


class OtherRows(AssertionError):
    """What is asked by hand is not what the package was asked."""


def _compare(alias: str, question: Question) -> None:
    answers: list[Sequence[Any]] = []

    def once() -> int:
        answers.extend([question.ask(), _sent(alias, question)()])
        return 1

    bound_to(alias, once)()
    ours, by_hand = answers
    if not ours or not by_hand or (len(ours) != len(by_hand) and not question.each_time_another):
        raise OtherRows(f"{alias}, {question.name}: {len(ours)} rows, and {len(by_hand)} by hand.")
