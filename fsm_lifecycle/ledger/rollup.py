"""The rollups: how many sealed entries of each kind a day had, and how many ever came to and left each state.

They grow with the leaves, in the transaction that seals them, so they are right for exactly the entries that are
sealed, and nobody counts the log. Must not know who looks at them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any, ClassVar, Final

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Sum

from fsm_lifecycle.exact_text import ExactTextField
from fsm_lifecycle.ledger.leaf import tree_size
from fsm_lifecycle.ledger.reading import reading

#: What entries are counted under.
KEYS: Final = ("day", "model_label", "kind", "event", "from_state", "to_state", "actor_kind")


class DailyCount(models.Model):
    """How many sealed entries one day (UTC, by ``recorded_at``) had. What is NULL in an entry is empty here.

    The current number of records in a state is the sum of what led there minus the sum of what left it.
    """

    day = models.DateField()
    model_label = ExactTextField(max_length=100)
    kind = ExactTextField(max_length=12)
    event = ExactTextField(max_length=100, default="")
    from_state = ExactTextField(max_length=64, default="")
    to_state = ExactTextField(max_length=64, default="")
    actor_kind = ExactTextField(max_length=8)
    entries = models.BigIntegerField(default=0)

    class Meta:
        app_label = "fsm_lifecycle"
        verbose_name = "daily count"
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["model_label", "day", "kind", "event", "from_state", "to_state", "actor_kind"],
                name="fsm_lifecycle_daily_count",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["day"], name="fsm_lifecycle_daily_day")]

    def __str__(self) -> str:
        return f"{self.day} {self.model_label} {self.event or self.kind}: {self.entries}"


class StateTotal(models.Model):
    """How many sealed entries ever led to a state and out of it; the empty state is that of entries without one.

    A record whose event led back to its own state came and left. So the records in a state are those that came minus
    those that left, and what came to all states of a model, the empty one too, are its entries.
    """

    model_label = ExactTextField(max_length=100)
    state = ExactTextField(max_length=64, default="")
    came = models.BigIntegerField(default=0)
    went = models.BigIntegerField(default=0)

    class Meta:
        app_label = "fsm_lifecycle"
        verbose_name = "state total"
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["model_label", "state"], name="fsm_lifecycle_state_total"),
        ]

    def __str__(self) -> str:
        return f"{self.model_label} {self.state or 'no state'}: {self.came - self.went}"


# --- counting -----------------------------------------------------------------------------------------------


def add(connection: BaseDatabaseWrapper, keys: Iterable[tuple[Any, ...]]) -> None:
    """Count sealed entries, each given by its values of ``KEYS``, in the transaction that seals them."""
    counted = Counter(keys)
    if not counted:
        return
    with connection.cursor() as cursor:
        cursor.executemany(
            _upsert(connection.vendor, DailyCount._meta.db_table, KEYS, ("entries",)),
            [(*key, number) for key, number in sorted(counted.items())],
        )
        cursor.executemany(
            _upsert(connection.vendor, StateTotal._meta.db_table, ("model_label", "state"), ("came", "went")),
            totals(counted),
        )


def totals(counted: Mapping[tuple[Any, ...], int]) -> list[tuple[str, str, int, int]]:
    """What entries counted by ``KEYS`` add to the totals: model, state, how many came, how many went."""
    came: Counter[tuple[str, str]] = Counter()
    went: Counter[tuple[str, str]] = Counter()
    for (_, label, _, _, source, target, _), number in counted.items():
        came[label, target] += number
        went[label, source] += number
    return [(*place, came[place], went[place]) for place in sorted(came.keys() | went.keys())]


@cache
def _upsert(vendor: str, table: str, keys: tuple[str, ...], numbers: tuple[str, ...]) -> str:
    quote = "`" if vendor == "mysql" else '"'
    name = f"{quote}{table}{quote}"
    columns = (*keys, *numbers)
    insert = f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({', '.join(['%s'] * len(columns))}) "  # noqa: S608
    if vendor == "mysql":
        grown = ", ".join(f"{number} = {number} + VALUES({number})" for number in numbers)
        return f"{insert}ON DUPLICATE KEY UPDATE {grown}"
    grown = ", ".join(f"{number} = {name}.{number} + excluded.{number}" for number in numbers)
    return f"{insert}ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {grown}"


# --- asking -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Count:
    """How many sealed entries there are of one kind."""

    model_label: str
    kind: str
    event: str
    """Empty for what is no transition."""
    from_state: str
    to_state: str
    actor_kind: str
    entries: int


def counts(using: str = "default", since: date | None = None, until: date | None = None) -> list[Count]:
    """The sealed entries of the days from ``since`` to ``until``, both included (UTC), by what they are."""
    found = DailyCount.objects.using(using).order_by(*KEYS[1:])
    if since is not None:
        found = found.filter(day__gte=since)
    if until is not None:
        found = found.filter(day__lte=until)
    return [Count(*row) for row in found.values_list(*KEYS[1:]).annotate(number=Sum("entries"))]


@dataclass(frozen=True)
class StateCounts:
    """How many records were in each state when the tree had so many leaves."""

    leaves: int
    """What is not sealed is not counted: entries from this leaf index on are not in it."""
    records: Mapping[tuple[str, str], int]
    """By ``app.model`` and state; states without a record are left out."""
    entries: Mapping[str, int]
    """How many sealed entries each ``app.model`` has."""


def state_counts(using: str = "default") -> StateCounts:
    """The records by state from the totals: a row for each state, however long the log is."""
    found: dict[tuple[str, str], int] = {}
    entries: Counter[str] = Counter()
    with reading(using):
        leaves = tree_size(using)
        rows = list(StateTotal.objects.using(using).values_list("model_label", "state", "came", "went"))
    for label, state, came, went in rows:
        entries[label] += came
        if state:
            found[label, state] = came - went
    return StateCounts(
        leaves, {place: number for place, number in sorted(found.items()) if number}, dict(entries)
    )
