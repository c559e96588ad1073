"""One transition of one loaded record, everyone in turn: time, client CPU and statements.

Must not know how any subject works.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from django.db import connections
from django.test.utils import CaptureQueriesContext

from benchmarks import floors, ours, peers
from benchmarks.databases import LABELS
from benchmarks.report import Section, Verdict, microseconds
from benchmarks.settings import bound_to, on_database
from benchmarks.subjects import Subject
from benchmarks.timing import Samples, Task, interleave

SUBJECTS: list[Subject] = [*floors.SUBJECTS, *ours.SUBJECTS, *peers.SUBJECTS]

#: The most that `fire()` may cost, as a share of the hand-written ORM version.
TARGET = 0.75

_NOT_COUNTED = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE SAVEPOINT")
_ABOUT = (
    "One transition with its log row, in its own transaction, of a record that is already loaded. Every way "
    "has {records} records of its own and moves all of them from draft to sent in one round and back in the "
    "next, so that each finds the same work. All check the guard (amount > 0) and the state on what the "
    "database holds; `fire()` without guard is the second row of ours. Statements leave out BEGIN and COMMIT; "
    "CPU is this process's, without the database server's."
)


def measure(aliases: Sequence[str], rounds: int, records: int) -> list[Section]:
    """One section per database; all of them are measured in the same rounds."""
    tasks: dict[str, Task] = {}
    for alias in aliases:
        for subject in SUBJECTS:
            with on_database(alias):
                tasks[_key(alias, subject)] = bound_to(alias, subject.loop(records))
    samples = interleave(tasks, rounds)
    sections = [_section(alias, samples) for alias in aliases]
    sections[0] = replace(sections[0], about=_ABOUT.format(records=records))
    return sections


def _key(alias: str, subject: Subject) -> str:
    return f"{alias}: {subject.name}"


def _section(alias: str, samples: dict[str, Samples]) -> Section:
    raw = samples[_key(alias, floors.RAW_SUBJECT)]
    orm = samples[_key(alias, floors.ORM_SUBJECT)]
    rows = []
    for subject in SUBJECTS:
        mine = samples[_key(alias, subject)]
        rows.append(
            [
                subject.name,
                str(statements_of(subject, alias)),
                microseconds(mine.wall_spread().median),
                microseconds(mine.cpu_spread().median),
                str(mine.ratio_to(raw)),
                str(mine.ratio_to(orm)),
            ]
        )
    return Section(
        title=f"A transition on {LABELS[alias]}",
        about="The same work in the same rounds.",
        columns=["way", "statements", "µs", "µs CPU", "× raw", "× hand-written ORM"],  # noqa: RUF001
        rows=rows,
        verdicts=[
            Verdict(
                target=f"{subject.name} against the {floors.ORM}",
                where=LABELS[alias],
                limit=TARGET,
                measured=samples[_key(alias, subject)].ratio_to(orm),
            )
            for subject in ours.SUBJECTS
        ],
    )


def statements_of(subject: Subject, alias: str, bind: Callable[[str, Task], Task] = bound_to) -> int:
    """How many statements one transition sends, those that begin and end the transaction left out."""
    if subject is floors.RAW_SUBJECT:
        return 2  # it goes round Django, which counts
    with on_database(alias):
        move_once = bind(alias, subject.loop(1))
        for _ in range(2):
            move_once()
        with CaptureQueriesContext(connections[alias]) as captured:
            move_once()
    return sum(not query["sql"].startswith(_NOT_COUNTED) for query in captured.captured_queries)
