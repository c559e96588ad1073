"""What is asked of a large log, through the package and as SQL by hand.

Must not know how the answers are timed.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.db import connections
from django.utils import timezone

from benchmarks.ledger_rows import ACTORS, SPAN, Log
from benchmarks.models import Invoice
from fsm_lifecycle import System
from fsm_lifecycle.ledger import rollup
from fsm_lifecycle.ledger.chain import COLUMNS
from fsm_lifecycle.models import TransitionLog

#: What questions are of one kind.
HISTORY, LOG_PAGE, ACTOR, STUCK, DASHBOARD = (
    "a record's history",
    "a page of the log",
    "a page of one actor's entries",
    "records that are stuck",
    "a dashboard's counts",
)
PAGE = 50

_ENTRY = f"SELECT id, {', '.join(COLUMNS)} FROM fsm_lifecycle_transitionlog"
_NEWEST = f"ORDER BY recorded_at DESC, id DESC LIMIT {PAGE}"
_SUM = "SELECT model_label, {}sum(entries) FROM fsm_lifecycle_dailycount WHERE day >= %s GROUP BY model_label, {}"
_ALL = ("kind", "event", "from_state", "to_state", "actor_kind")

#: SQL and its parameters.
Statement = tuple[str, list[Any]]


@dataclass(frozen=True)
class Question:
    """One thing asked of the log, through the package and by hand."""

    name: str
    target: str
    ask: Callable[[], Sequence[Any]]
    by_hand: Callable[[], Statement]
    each_time_another: bool = False
    """Whether it is about another record or moment with each call, so that the two answers cannot be compared."""


def questions(log: Log) -> list[Question]:
    """Everything that is asked of one database."""
    return [_history(log), *_pages(log), *_actors_pages(log), *_stuck(log), *_dashboard(log)]


def _history(log: Log) -> Question:
    dice = random.Random(1)
    first, last = log.records
    chosen = range(first, last, max(1, (last - first) // 500))
    records = list(Invoice.objects.using(log.alias).filter(pk__in=chosen))

    def ask() -> Sequence[Any]:
        return list(dice.choice(records).log)

    def by_hand() -> Statement:
        where = "WHERE model_label = %s AND object_pk = %s ORDER BY sequence"
        return f"{_ENTRY} {where}", ["benchmarks.invoice", str(dice.choice(records).pk)]

    return Question("a record's history, ten entries", HISTORY, ask, by_hand, each_time_another=True)


def _pages(log: Log) -> list[Question]:
    dice = random.Random(1)

    def further_back() -> Sequence[Any]:
        return list(TransitionLog.objects.recent().before(*dice.choice(log.moments))[:PAGE])

    def by_hand() -> Statement:
        at, pk = dice.choice(log.moments)
        return _before(log.alias, "", [], at, pk)

    return [
        Question(
            "the newest page",
            LOG_PAGE,
            lambda: list(TransitionLog.objects.recent()[:PAGE]),
            lambda: (f"{_ENTRY} {_NEWEST}", []),
        ),
        Question("a page further back", LOG_PAGE, further_back, by_hand, each_time_another=True),
    ]


def _before(alias: str, condition: str, parameters: list[Any], at: Any, pk: int) -> Statement:
    moment = connections[alias].ops.adapt_datetimefield_value(at)
    keyset = "recorded_at <= %s AND (recorded_at < %s OR id < %s)"
    return f"{_ENTRY} WHERE {condition}{keyset} {_NEWEST}", [*parameters, moment, moment, pk]


def _actors_pages(log: Log) -> list[Question]:
    found = []
    for name, (kind, key) in ACTORS.items():
        actor = System(key) if kind == "system" else get_user_model()(pk=int(key))
        kinds = ["system"] if kind == "system" else ["user", "agent"]
        entries = TransitionLog.objects.using(log.alias).by_actor(actor)
        keys = sorted(entries.values_list("recorded_at", "pk"))
        moments = keys[1 :: max(1, len(keys) // 100)]  # nothing comes before the first
        found += _actor_pages(log.alias, name, actor, (kinds, key), moments)
    return found


def _actor_pages(
    alias: str, name: str, actor: Any, place: tuple[list[str], str], moments: list[Any]
) -> list[Question]:
    dice = random.Random(1)
    kinds, key = place

    def newest() -> Sequence[Any]:
        return list(TransitionLog.objects.by_actor(actor).recent()[:PAGE])

    def further_back() -> Sequence[Any]:
        return list(TransitionLog.objects.by_actor(actor).recent().before(*dice.choice(moments))[:PAGE])

    def newest_by_hand() -> Statement:
        return _of_each_kind([(f"{_ENTRY} WHERE {_ACTOR} {_NEWEST}", [kind, key]) for kind in kinds])

    def further_back_by_hand() -> Statement:
        at, pk = dice.choice(moments)
        return _of_each_kind([_before(alias, f"{_ACTOR} AND ", [kind, key], at, pk) for kind in kinds])

    return [
        Question(f"{name}: the newest page", ACTOR, newest, newest_by_hand),
        Question(
            f"{name}: a page further back",
            ACTOR,
            further_back,
            further_back_by_hand,
            each_time_another=True,
        ),
    ]


_ACTOR = "actor_kind = %s AND actor_id = %s"


def _of_each_kind(statements: list[Statement]) -> Statement:
    """One page of several, each of which an index serves."""
    if len(statements) == 1:
        return statements[0]
    union = " UNION ALL ".join(f"SELECT * FROM ({sql}) AS part" for sql, _ in statements)
    return f"{union} {_NEWEST}", [value for _, parameters in statements for value in parameters]


def _stuck(log: Log) -> list[Question]:
    table = Invoice._meta.db_table
    columns = ", ".join(str(field.column) for field in Invoice._meta.concrete_fields)
    connection = connections[log.alias]

    def question(name: str, days: int, *states: str) -> Question:
        stuck = Invoice.objects.all() if len(states) > 1 else Invoice.objects.in_state(*states)
        among = ", ".join(f"'{state}'" for state in states)

        def by_hand() -> Statement:
            since = connection.ops.adapt_datetimefield_value(timezone.now() - timedelta(days=days))
            where = f"state IN ({among}) AND state_since < %s ORDER BY state_since LIMIT {PAGE}"
            return f"SELECT {columns} FROM {table} WHERE {where}", [since]

        def ask() -> Sequence[Any]:
            return list(stuck.stuck(days=days).order_by("state_since")[:PAGE])

        return Question(name, STUCK, ask, by_hand)

    return [
        question(
            "a page of stuck records, longest first: of 0.6 %", SPAN.days - 5, "draft", "sent", "overdue"
        ),
        question("the same of one state: of 2 %", SPAN.days // 3, "sent"),
        question("the same of three states: of 7 %", SPAN.days // 3, "draft", "sent", "overdue"),
    ]


def _dashboard(log: Log) -> list[Question]:
    since = (timezone.now() - timedelta(days=30)).date()
    columns = ", ".join(_ALL)
    return [
        Question(
            "counts of the last 30 days",
            DASHBOARD,
            lambda: rollup.counts(log.alias, since=since),
            lambda: (_SUM.format(f"{columns}, ", columns), [since]),
        ),
        Question(
            "records in each state",
            DASHBOARD,
            lambda: list(rollup.state_counts(log.alias).records),
            lambda: (
                _SUM.format("from_state, to_state, ", "from_state, to_state"),
                [(timezone.now() - 2 * SPAN).date()],
            ),
            each_time_another=True,  # by hand it is not yet summed up
        ),
    ]
