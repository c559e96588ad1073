"""What a subject is: one way of moving an invoice from draft to sent and back, with a log row each time.

Must not know any particular way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.contrib.auth import get_user_model
from django.db import models

from benchmarks.settings import USER, CurrentDatabase
from benchmarks.timing import Task


class Refused(Exception):
    """The record was not in the state, or the guard said no."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One way of making a transition; every step is a whole transaction with its log row."""

    name: str
    model: type[models.Model]
    send: Callable[[Any, Any], object]
    """Takes a loaded record and the acting user; draft to sent."""
    recall: Callable[[Any, Any], object]
    """The way back."""
    before: Callable[[Sequence[Any], Any], object] | None = None
    """Takes the records and the acting user before the first move; what it costs is not measured."""

    def loop(self, count: int) -> Task:
        """Make `count` records, load them, and return a task that moves each of them once, there or back."""
        make(self.model, count)
        records = list(self.model._default_manager.order_by("-pk")[:count])
        user = acting_user()
        if self.before is not None:
            self.before(records, user)
        steps = [self.recall, self.send]

        def move_all() -> int:
            steps.reverse()
            step = steps[0]
            for record in records:
                step(record, user)
            return count

        return move_all


def acting_user() -> Any:
    """The user who fires everything, loaded from the current database."""
    return get_user_model()._default_manager.using(CurrentDatabase.alias).get(username=USER)


def make(model: type[models.Model], count: int) -> None:
    """Insert `count` equal draft invoices."""
    owner = acting_user()
    model._default_manager.bulk_create(
        [
            model(amount=Decimal("99.50"), client_name=f"Client {number}", created_by=owner)
            for number in range(count)
        ],
        batch_size=1000,
    )
