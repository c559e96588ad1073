"""The daily rollup: how many sealed entries of each kind a day had, so that nobody counts the log.

It grows with the leaves, in the transaction that seals them, so it is right for exactly the entries that are sealed.
Must not know who looks at it.
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


# --- counting -----------------------------------------------------------------------------------------------


def add(connection: BaseDatabaseWrapper, keys: Iterable[tuple[Any, ...]]) -> None:
    """Count sealed entries, each given by its values of ``KEYS``, in the transaction that seals them."""
    rows = [(*key, number) for key, number in sorted(Counter(keys).items())]
    if rows:
        with connection.cursor() as cursor:
            cursor.executemany(_add_sql(connection.vendor, DailyCount._meta.db_table), rows)


@cache
def _add_sql(vendor: str, table: str) -> str:
    quote = "`" if vendor == "mysql" else '"'
    name = f"{quote}{table}{quote}"
    insert = (
        f"INSERT INTO {name} ({', '.join(KEYS)}, entries) VALUES ({', '.join(['%s'] * (len(KEYS) + 1))}) "  # noqa: S608
    )
    if vendor == "mysql":
        return f"{insert}ON DUPLICATE KEY UPDATE entries = entries + VALUES(entries)"
    unique = "model_label, day, kind, event, from_state, to_state, actor_kind"
    return f"{insert}ON CONFLICT ({unique}) DO UPDATE SET entries = {name}.entries + excluded.entries"


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


def state_counts(using: str = "default") -> StateCounts:
    """Count the records by state from the rollup, without reading the log or the records."""
    found: Counter[tuple[str, str]] = Counter()
    with reading(using):
        leaves = tree_size(using)
        moves = (
            DailyCount.objects.using(using).values_list("model_label", "from_state", "to_state").order_by()
        )
        for label, source, target, number in moves.annotate(number=Sum("entries")):
            if target:
                found[label, target] += number
            if source:
                found[label, source] -= number
    return StateCounts(leaves, {place: number for place, number in sorted(found.items()) if number})
