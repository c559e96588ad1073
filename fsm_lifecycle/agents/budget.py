"""Owns how much a run may use up before it is stopped. Must not know how it is counted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from decimal import Decimal, InvalidOperation
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The limits of one run. ``None``: without that limit; 0: none of it at all."""

    turns: int | None = 20
    """How often the model is asked."""
    tool_calls: int | None = 60
    tokens: int | None = 200_000
    """In and out together."""
    cost: Decimal | str | None = None
    """US dollars, by ``AGENT_PRICES``."""
    seconds: float | None = 300
    """How long it is worked on; waiting for a person does not count."""

    def __post_init__(self) -> None:
        for name in ("turns", "tool_calls", "tokens", "seconds"):
            value = getattr(self, name)
            whole = isinstance(value, int) or (name == "seconds" and isinstance(value, float))
            if value is not None and (not whole or isinstance(value, bool) or value < 0):
                raise ValueError(f"Budget({name}={value!r}): give 0 or more, or None for no limit.")
        if self.cost is not None:
            try:
                cost = Decimal(self.cost)
            except (InvalidOperation, TypeError, ValueError):
                cost = Decimal(-1)
            if not cost.is_finite() or cost < 0:
                raise ValueError(f'Budget(cost={self.cost!r}): give US dollars, for example "2.00", or None.')
            object.__setattr__(self, "cost", cost)


def narrowest(budgets: Iterable[Budget]) -> Budget:
    """The budget that passes no limit of these; the usual one where there are none."""
    found = list(budgets) or [Budget()]
    limits: dict[str, Any] = {}
    for one in fields(Budget):
        values = [getattr(budget, one.name) for budget in found]
        limits[one.name] = min((value for value in values if value is not None), default=None)
    return Budget(**limits)
