"""Owns how many records a lifecycle has in each state, for one user, and which of them are stuck.

Few records are counted as they are. Many are taken from the census, so that what it costs does not grow with them.
Must not know how the numbers are drawn.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Count, QuerySet

from fsm_lifecycle.access.visibility import visible
from fsm_lifecycle.engine.binding import SINCE
from fsm_lifecycle.engine.visible_log import Sight
from fsm_lifecycle.ledger.census import Census
from fsm_lifecycle.managers import LifecycleQuerySet
from fsm_lifecycle.presentation.badges import Badge, badge

#: So many records at most are counted one by one.
FEW: Final = 1000


@dataclass(frozen=True, slots=True)
class InState:
    """The records of one state."""

    badge: Badge
    number: int
    terminal: bool


@dataclass(frozen=True, slots=True)
class Population:
    """The records of one lifecycle that a user may see."""

    states: tuple[InState, ...]
    """In declared order; states that the table no longer has come last."""
    counted: bool
    """Whether they were counted now; otherwise they are those of the census."""

    @property
    def total(self) -> int:
        """All of them."""
        return sum(one.number for one in self.states)

    @property
    def open(self) -> int:
        """Those in a state that is not final."""
        return sum(one.number for one in self.states if not one.terminal)

    @property
    def present(self) -> list[InState]:
        """The states that have records."""
        return [one for one in self.states if one.number]


def records_of(model: Any, sight: Sight) -> QuerySet[Any]:
    """The records of a model that a user may see, on pages as in the log."""
    rows: QuerySet[Any] = LifecycleQuerySet(model)
    return rows if sight.everything else visible(rows, sight.user)


def population(model: Any, sight: Sight, census: Census) -> Population:
    """The records of a model by state."""
    binding = model._lifecycle
    if sight.sees(model) and binding.owner is model:
        known = census.of(binding.label)
        if sum(known.values()) > FEW:
            return _population(model, known, counted=False)
        values = list(
            LifecycleQuerySet(model).order_by().values_list(binding.state_name, flat=True)[: FEW + 1]
        )
        if len(values) <= FEW:
            return _population(model, Counter(values), counted=True)
        # Many, and hardly any of their entries sealed: only the table itself knows.
    grouped = records_of(model, sight).order_by().values_list(binding.state_name).annotate(number=Count("pk"))
    return _population(model, dict(grouped), counted=True)


def _population(model: Any, numbers: dict[str, int], *, counted: bool) -> Population:
    table = model._lifecycle.table
    states = [
        InState(badge(table, state), numbers.get(state.value, 0), state.terminal)
        for state in table.states.values()
    ]
    others = sorted(value for value, number in numbers.items() if value not in table.states and number)
    states += [InState(badge(table, value), numbers[value], False) for value in others]
    return Population(tuple(states), counted)


# --- stuck --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Stuck:
    """A record that has been in its state for too long."""

    model: Any
    record: Any
    badge: Badge
    since: datetime


@dataclass(frozen=True, slots=True)
class StuckRecords:
    """Those of one lifecycle."""

    number: int
    """Counted up to ``FEW``."""
    longest: list[Stuck]

    @property
    def shown(self) -> str:
        """The number as people read it."""
        return f"{FEW:,}+" if self.number > FEW else f"{self.number:,}"


def stuck(model: Any, sight: Sight, show: int = 5) -> StuckRecords:
    """The records of a model that are stuck, those for longest first. Two statements, or one more for each state."""
    binding = model._lifecycle
    rows: Any = records_of(model, sight)
    found = rows.stuck().order_by()
    number = found[: FEW + 1].count()
    if not number:
        return StuckRecords(0, [])
    if number <= FEW:
        longest = list(found.order_by(SINCE, "pk")[:show])
    else:
        # Sorting them all would take longer the more there are; in one state the index has them in order.
        states = [state.value for state in binding.table.states.values() if state.stuck_after is not None]
        parts = [found.filter(**{binding.state_name: state}).order_by(SINCE, "pk")[:show] for state in states]
        longest = list(heapq.merge(*map(list, parts), key=lambda record: getattr(record, SINCE)))[:show]
    return StuckRecords(
        number,
        [
            Stuck(
                model,
                record,
                badge(binding.table, getattr(record, binding.state_name)),
                getattr(record, SINCE),
            )
            for record in longest
        ],
    )


def longest_of(found: Sequence[StuckRecords], show: int = 5) -> list[Stuck]:
    """Those for longest among several lifecycles."""
    return sorted((one for records in found for one in records.longest), key=lambda one: one.since)[:show]


def oldest(found: Sequence[Stuck], now: datetime) -> timedelta | None:
    """For how long the first of them has been stuck."""
    return None if not found else now - found[0].since
