"""Owns the list's filter by state, with the number of records in each.

Must not know what else a list is filtered by.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from fsm_lifecycle.access.policy import rights
from fsm_lifecycle.definition import CRUD
from fsm_lifecycle.ledger import rollup
from fsm_lifecycle.ledger.checkpoint import Checkpoint
from fsm_lifecycle.presentation.durations import in_words

#: Up to so many records are counted one by one; beyond that the rollup says how many there are.
COUNTED: Final = 10_000


@dataclass(frozen=True, slots=True)
class Numbers:
    """How many records are in each state."""

    by_state: Mapping[str, int] | None
    """``None`` when nobody knows without counting for long."""
    age: str = ""
    """How old the numbers are, in words; empty when they are of this moment."""


class StateFilter(admin.SimpleListFilter):
    """By state. It lists all states of the table, also those that no record is in."""

    title = "state"
    parameter_name = "state"

    def __init__(self, request: HttpRequest, params: Any, model: Any, model_admin: Any) -> None:
        self.binding = model._lifecycle
        self.parameter_name = self.binding.state_name
        self.numbers = numbers(model_admin.get_queryset(request), request.user)
        if self.numbers.age:
            self.title = f"state, counted {self.numbers.age} ago"
        super().__init__(request, params, model, model_admin)

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        found = self.numbers.by_state
        return [
            (
                state.value,
                str(state.label) if found is None else f"{state.label} ({found.get(state.value, 0):,})",
            )
            for state in self.binding.table.states.values()
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() is None:
            return queryset
        return queryset.filter(**{self.binding.state_name: self.value()})


def numbers(visible: QuerySet[Any], user: Any) -> Numbers:
    """How many of the records that a user may see are in each state."""
    binding = visible.model._lifecycle
    if visible.order_by()[: COUNTED + 1].count() <= COUNTED:
        rows = visible.order_by().values_list(binding.state_name).annotate(Count("pk"))
        return Numbers({str(state): number for state, number in rows})
    if not rights(user, visible.model).allows(CRUD.READ):
        return Numbers(None)
    found = rollup.state_counts(visible.db).records
    newest = Checkpoint.objects.using(visible.db).order_by("-pk").first()
    if newest is None:
        return Numbers(None)
    mine = {state: number for (label, state), number in found.items() if label == binding.label}
    return Numbers(mine, in_words(timezone.now() - newest.created_at))
