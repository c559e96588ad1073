"""What roles add to a transition: `fire()` with and without them, and a hand-written one that asks guardian.

Must not know how a subject works.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from guardian.models import UserObjectPermission

from benchmarks import floors, ours
from benchmarks.databases import LABELS
from benchmarks.models import OwnedInvoice, StaffedInvoice
from benchmarks.plain_models import PlainInvoice
from benchmarks.report import Section, Verdict, microseconds
from benchmarks.settings import as_without_us, bound_to, on_database
from benchmarks.subjects import Refused, Subject, acting_user
from benchmarks.timing import Samples, Spread, Task, interleave
from benchmarks.transitions import statements_of
from fsm_lifecycle import System
from fsm_lifecycle.access import grant_role

#: How many statements roles may add, and the most that `fire()` may cost beside the hand-written version.
MORE_STATEMENTS = 2
TARGET = 1.0

_PERMISSION = "change_plaininvoice"


def _permitted_move(record: PlainInvoice, user: Any, event: str, source: str, target: str) -> None:
    """Ask guardian, then do what the hand-written version does."""
    if not user.has_perm(f"benchmarks.{_PERMISSION}", record):
        raise Refused(event)
    floors.orm_move(record, user, event, source, target)


def _permit(records: Sequence[Any], user: Any) -> None:
    UserObjectPermission.objects.bulk_assign_perm(_PERMISSION, user, list(records))


WITHOUT = replace(ours.GUARDED, name="fire() without roles")
ON_THE_MODEL = Subject(
    name="fire(), a role on the model",
    model=StaffedInvoice,
    send=lambda record, user: record.fire(StaffedInvoice.Lifecycle.send_invoice, actor=user),
    recall=lambda record, user: record.fire(StaffedInvoice.Lifecycle.recall, actor=user),
)
ON_THE_RECORD = Subject(
    name="fire(), a role on the record",
    model=OwnedInvoice,
    send=lambda record, user: record.fire(OwnedInvoice.Lifecycle.send_invoice, actor=user),
    recall=lambda record, user: record.fire(OwnedInvoice.Lifecycle.recall, actor=user),
)
BY_HAND = Subject(
    name="hand-written ORM, has_perm() by guardian",
    model=PlainInvoice,
    send=lambda record, user: _permitted_move(record, user, "send_invoice", "draft", "sent"),
    recall=lambda record, user: _permitted_move(record, user, "recall", "sent", "draft"),
    before=_permit,
)
_ROLED = (ON_THE_MODEL, ON_THE_RECORD)
_BINDS: list[tuple[Subject, Callable[[str, Task], Task]]] = [
    (WITHOUT, bound_to),
    (ON_THE_MODEL, bound_to),
    (ON_THE_RECORD, bound_to),
    (floors.ORM_SUBJECT, bound_to),
    (BY_HAND, as_without_us),
]


def measure(aliases: Sequence[str], rounds: int, records: int) -> list[Section]:
    """One section; every way on every database in the same rounds."""
    tasks: dict[str, Task] = {}
    for alias in aliases:
        with on_database(alias):
            grant_role(
                acting_user(), StaffedInvoice.Lifecycle.clerk, on=StaffedInvoice, by=System("benchmark")
            )
            for subject, bind in _BINDS:
                tasks[f"{alias} {subject.name}"] = bind(alias, subject.loop(records))
    samples = interleave(tasks, rounds)
    rows, verdicts = [], []
    for alias in aliases:
        found, judged = _of(alias, samples)
        rows += found
        verdicts += judged
    return [
        Section(
            title="A transition with roles",
            about=(
                "As above: one transition with its log row, there and back. The user holds a role on the model "
                "through a group, or one on each record; the roles are read from the database each time. By hand: "
                "`has_perm` on the record (Django's and guardian's backends alone, a grant on each record), then the "
                "hand-written version. Statements leave out BEGIN and COMMIT."
            ),
            columns=["way", "statements", "µs", "× without roles", "× by hand with guardian"],  # noqa: RUF001
            rows=rows,
            verdicts=verdicts,
        )
    ]


def _of(alias: str, samples: dict[str, Samples]) -> tuple[list[list[str]], list[Verdict]]:
    rows, verdicts = [], []
    without, by_hand = samples[f"{alias} {WITHOUT.name}"], samples[f"{alias} {BY_HAND.name}"]
    sent = {subject.name: statements_of(subject, alias, bind) for subject, bind in _BINDS}
    for subject, _ in _BINDS:
        mine = samples[f"{alias} {subject.name}"]
        rows.append(
            [
                f"{LABELS[alias]}, {subject.name}",
                str(sent[subject.name]),
                microseconds(mine.wall_spread().median),
                str(mine.ratio_to(without)),
                str(mine.ratio_to(by_hand)),
            ]
        )
    for subject in _ROLED:
        more = sent[subject.name] - sent[WITHOUT.name]
        verdicts += [
            Verdict(
                target=f"{subject.name}: statements more than without",
                where=LABELS[alias],
                limit=MORE_STATEMENTS,
                measured=Spread.of([more]),
                unit="",
            ),
            Verdict(
                target=f"{subject.name}, against the {BY_HAND.name}",
                where=LABELS[alias],
                limit=TARGET,
                measured=samples[f"{alias} {subject.name}"].ratio_to(by_hand),
            ),
        ]
    return rows, verdicts
