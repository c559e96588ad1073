"""Moving many records at once: `QuerySet.fire`, the same by hand, and a loop over django-fsm-2 with its log.

Must not know how a single transition is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone

from benchmarks.databases import LABELS
from benchmarks.models import Invoice
from benchmarks.peer_models import Fsm2LoggedInvoice, has_positive_total
from benchmarks.plain_models import PlainInvoice, PlainLog
from benchmarks.report import Section, Verdict
from benchmarks.settings import CurrentDatabase, bound_to, on_database
from benchmarks.subjects import Refused, acting_user, make
from benchmarks.timing import Task, interleave

#: The most that `QuerySet.fire` may cost, as a multiple of the hand-written version.
TARGET = 1.2
CHUNK = 1000

OURS = "QuerySet.fire()"
BY_HAND = "hand-written in chunks"
LOOP = "loop over django-fsm-2 + django-fsm-log"


#: The first and the last key of the records that one way moves on one database.
Keys = tuple[int, int]


@dataclass(frozen=True)
class Move:
    """One direction of the loop."""

    event: str
    source: str
    target: str


SEND = Move("send_invoice", "draft", "sent")
RECALL = Move("recall", "sent", "draft")


def fire_all(keys: Keys, move: Move, user: Any) -> int:
    """Ours: guards in Python, entries chained, one call."""
    result = Invoice.objects.filter(pk__range=keys).fire(move.event, actor=user)
    return int(result.succeeded)


def by_hand(keys: Keys, move: Move, user: Any) -> int:
    """Per chunk and transaction: lock and load, guard, one compare-and-set UPDATE, one `bulk_create`."""
    moved = 0
    first, last = keys
    while True:
        with transaction.atomic(using=CurrentDatabase.alias):
            waiting = PlainInvoice.objects.filter(pk__range=(first, last), state=move.source).order_by("pk")
            loaded = list(waiting.select_for_update()[:CHUNK])
            if not loaded:
                return moved
            chunk = [record for record in loaded if has_positive_total(record)]
            now = timezone.now()
            updated = PlainInvoice.objects.filter(
                pk__in=[record.pk for record in chunk], state=move.source
            ).update(state=move.target, state_since=now)
            if updated != len(chunk):
                raise Refused(move.event)
            PlainLog.objects.bulk_create(
                PlainLog(
                    table="plaininvoice",
                    object_id=record.pk,
                    event=move.event,
                    from_state=move.source,
                    to_state=move.target,
                    by=user,
                    at=now,
                )
                for record in chunk
            )
            moved += updated
            first = loaded[-1].pk + 1


def loop(keys: Keys, move: Move, user: Any) -> int:
    """One by one, in one transaction: transition (its log row with it), save."""
    moved = 0
    with transaction.atomic(using=CurrentDatabase.alias):
        records = Fsm2LoggedInvoice.objects.filter(pk__range=keys).order_by("pk").select_for_update()
        for record in records:
            getattr(record, move.event)(by=user)
            record.state_since = timezone.now()
            record.save(update_fields=["state", "state_since"])
            moved += 1
    return moved


def measure(aliases: Sequence[str], rounds: int, rows: int) -> Section:
    """Every way on every database; the loop moves a fifth of the rows, for it is the slow one."""
    ways: list[tuple[str, Any, Callable[[Keys, Move, Any], int], int]] = [
        (OURS, Invoice, fire_all, rows),
        (BY_HAND, PlainInvoice, by_hand, rows),
        (LOOP, Fsm2LoggedInvoice, loop, max(1, rows // 5)),
    ]
    tasks: dict[str, Task] = {}
    for alias in aliases:
        for name, model, move_all, count in ways:
            with on_database(alias):
                tasks[f"{alias} {name}"] = bound_to(alias, _there_and_back(model, move_all, count))
    samples = interleave(tasks, rounds)
    table, verdicts = [], []
    for alias in aliases:
        floor = samples[f"{alias} {BY_HAND}"]
        for name, *_ in ways:
            mine = samples[f"{alias} {name}"]
            seconds = mine.wall_spread().median
            ratio = mine.ratio_to(floor)
            table.append(
                [f"{LABELS[alias]}, {name}", f"{seconds * rows:.2f}", f"{1 / seconds:,.0f}", str(ratio)]
            )
            if name == OURS:
                verdicts.append(Verdict(target=OURS, where=LABELS[alias], limit=TARGET, measured=ratio))
    return Section(
        title=f"{rows:,} records at once",
        about=(
            "Guards run in Python on fresh rows. Ours chains every entry by its hash; the hand-written version "
            f"and the loop do not. The hand-written one takes {CHUNK:,} at a time, each in its transaction. The "
            f"loop moves {max(1, rows // 5):,} records in one transaction; its time is scaled up."
        ),
        columns=["way", f"s for {rows:,}", "records/s", "× hand-written"],  # noqa: RUF001
        rows=table,
        verdicts=verdicts,
    )


def _there_and_back(model: Any, move_all: Callable[[Keys, Move, Any], int], count: int) -> Task:
    make(model, count)
    made = model._default_manager.order_by("-pk").values_list("pk", flat=True)[:count]
    keys = (made[count - 1], made[0])
    user = acting_user()
    moves = [RECALL, SEND]

    def move() -> int:
        moves.reverse()
        moved = move_all(keys, moves[0], user)
        if moved != count:
            raise AssertionError(f"{moved} of {count} records moved by {moves[0].event}.")
        return moved

    return move
