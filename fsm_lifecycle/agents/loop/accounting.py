"""What a run may still use up, and what a request to its model reserves of it.

A reservation is written into the run's own counters before the request is sent, and put right when it is known what was
used. So a run that dies in between has paid for what it had asked, and no limit is passed. Must not know how a model is
asked.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, time
from decimal import Decimal
from typing import Any, Final

from django.db.models import F, Q, Sum
from django.utils import timezone

from fsm_lifecycle import conf
from fsm_lifecycle.agents.budget import Budget
from fsm_lifecycle.agents.event import AgentEvent
from fsm_lifecycle.agents.loop.ending import failed, stopped
from fsm_lifecycle.agents.loop.held import Held
from fsm_lifecycle.agents.prices import Price
from fsm_lifecycle.agents.providers import Usage
from fsm_lifecycle.agents.run import AgentRun

#: The most that one answer may have.
LONGEST: Final = 8192
#: Where less than this is left for an answer, nothing is asked.
SHORTEST: Final = 64


@dataclass(frozen=True, slots=True)
class Reservation:
    """What one request may use up."""

    input: int
    """Tokens it sends, estimated high."""
    output: int
    """Tokens the answer may have."""
    capped: str
    """Which limit made ``output`` smaller than ``LONGEST``, if one did."""
    size: int
    """Bytes that are sent."""


class Account:
    """The budget of a run, against what its row says was used."""

    def __init__(self, held: Held, budget: Budget, price: Price | None) -> None:
        self.held = held
        self.budget = budget
        self.price = price
        if budget.cost is not None and price is None:
            raise failed("no_price")

    @property
    def run(self) -> AgentRun:
        return self.held.run

    @property
    def seconds_left(self) -> float:
        """Seconds it may still be worked on; an hour where nothing limits it."""
        return 3600.0 if self.budget.seconds is None else self.budget.seconds - self.held.seconds

    def before_a_tool(self) -> None:
        """Raise where no more tools may be called."""
        if self.budget.tool_calls is not None and self.run.tool_calls >= self.budget.tool_calls:
            raise stopped("tool_calls")
        if self.seconds_left <= 0:
            raise stopped("seconds")

    # Reserving

    def reserve(self, sent: Any) -> Reservation:
        """Set aside what a request may use up, and write it down. Raises where a limit does not allow it."""
        run = self.run
        if self.budget.turns is not None and run.turns >= self.budget.turns:
            raise stopped("turns")
        if self.seconds_left <= 0:
            raise stopped("seconds")
        reservation = self._within(len(json.dumps(sent, ensure_ascii=False, default=str).encode()))
        self._charge(reservation.input, reservation.output, turns=run.turns + 1)
        limit = conf.agent_user_daily_tokens()
        # Asked after writing: of two runs that reserve at once each sees the other, so both together stay below.
        if limit is not None and used_today(run) > limit:
            self._charge(-reservation.input, -reservation.output, turns=run.turns - 1)
            raise stopped("daily_tokens")
        return reservation

    def _within(self, size: int) -> Reservation:
        estimate = self._estimate(size)
        output, capped = LONGEST, ""
        limits: list[tuple[str, int]] = []
        if self.budget.tokens is not None:
            limits.append(("tokens", self.budget.tokens - self.run.tokens - estimate))
        if (limit := conf.agent_user_daily_tokens()) is not None:
            limits.append(("daily_tokens", limit - used_today(self.run) - estimate))
        if self.budget.cost is not None and self.price is not None:
            left = Decimal(self.budget.cost) - self.run.cost - self.price.of(estimate, 0)
            bought = self.price.output_for(left) if left > 0 else 0
            if bought is not None:
                limits.append(("cost", bought))
        for name, room in limits:
            if room < SHORTEST:
                raise stopped(name)
            if room < output:
                output, capped = room, name
        return Reservation(estimate, output, capped, size)

    def _estimate(self, size: int) -> int:
        """Tokens of so many bytes, on the high side: by the last request, of which the count is known."""
        last = self.held.events.filter(kind="usage").order_by("-seq").first()
        guess = size // 2 + 1
        if last is None:
            return guess
        known = last.payload
        more = max(0, size - known["bytes"])
        return min(guess, known["input"] + more // 2 + 1) if known["input"] else guess

    # Putting right

    def settled(self, reservation: Reservation, usage: Usage | None) -> dict[str, Any]:
        """The run's counters with what was used instead of what was reserved; ``None``: all of it."""
        if usage is None:
            return {}
        return self._counters(usage.input - reservation.input, usage.output - reservation.output)

    def released(self, reservation: Reservation) -> dict[str, Any]:
        """The run's counters as if nothing had been used."""
        return self._counters(-reservation.input, -reservation.output)

    def _charge(self, more_input: int, more_output: int, **changes: Any) -> None:
        self.held.write(**self._counters(more_input, more_output), **changes)

    def _counters(self, more_input: int, more_output: int) -> dict[str, Any]:
        run = self.run
        read, written = run.input_tokens + more_input, run.output_tokens + more_output
        changes: dict[str, Any] = {"input_tokens": read, "output_tokens": written}
        if self.price is not None:
            changes["cost"] = self.price.of(read, written)
        return changes


def used_today(run: AgentRun) -> int:
    """Tokens that all runs of this run's user have used up today, and those they have reserved.

    A run begun before counts with what it has used since midnight, and with what it lost before that: requests that
    brought no answer.
    """
    zone = timezone.get_current_timezone()
    midnight = timezone.make_aware(datetime.combine(timezone.localdate(), time.min), zone)
    rows = AgentRun.objects.using(run._state.db).filter(user_key=run.user_key)
    rows = rows.filter(Q(created_at__gte=midnight) | Q(finished_at=None) | Q(finished_at__gte=midnight))
    total: int | None = rows.aggregate(total=Sum(F("input_tokens") + F("output_tokens")))["total"]
    earlier = AgentEvent.objects.using(run._state.db).filter(
        run__in=rows.filter(created_at__lt=midnight), kind="usage", at__lt=midnight
    )
    before: int = sum(one["input"] + one["output"] for one in earlier.values_list("payload", flat=True))
    return (total or 0) - before
