"""Owns the figures of a period: what happened, by whom, what was refused, how long records stayed.

Read from the log and from the refusals alone, never from a rollup, in one pass; memory grows by eight bytes for each
stay. Must not know how they are shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connections
from django.db.models import Count

from fsm_lifecycle.engine.refusals import RefusedAttempt
from fsm_lifecycle.ledger.stays import StayClock, Stays
from fsm_lifecycle.ops.period import Period
from fsm_lifecycle.ops.recorded import moment_of, recorded

ACTOR_KINDS = ("user", "agent", "system", "unknown")


@dataclass(frozen=True, slots=True)
class EventCount:
    """How often one thing happened."""

    model: str
    kind: str
    event: str
    """Empty for what is no transition."""
    entries: int


@dataclass(frozen=True, slots=True)
class RefusalCount:
    """How often an event was refused for one reason."""

    model: str
    event: str
    code: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything that is counted in one period."""

    period: Period
    events: tuple[EventCount, ...]
    actors: dict[str, int]
    """Entries by kind of actor: ``user agent system unknown``, all of them."""
    refusals: tuple[RefusalCount, ...]
    stays: tuple[Stays, ...]

    @property
    def entries(self) -> int:
        """How many entries were recorded."""
        return sum(self.actors.values())

    @property
    def refused(self) -> int:
        """How many attempts were refused."""
        return sum(refusal.attempts for refusal in self.refusals)


def figures(
    using: str,
    period: Period,
    labels: Sequence[str] = (),
    told: Callable[[int], Any] | None = None,
) -> Figures:
    """Count what a period held; ``labels`` limits it to the logs of these models."""
    refused = RefusedAttempt.objects.using(using).filter(period.recorded)
    if labels:
        refused = refused.filter(model_label__in=labels)
    happened: Counter[tuple[str, str, str | None, str]] = Counter()
    clock = StayClock()
    moment = moment_of(connections[using])
    for page in recorded(using, period, labels):
        happened.update(row[:4] for row in page)
        for row in page:
            if row.state is not None:
                clock.add(row.model, row.state, moment(row.began), moment(row.ended))
        if told is not None:
            told(len(page))
    events: dict[tuple[str, str, str], int] = {}
    actors = dict.fromkeys(ACTOR_KINDS, 0)
    for (label, kind, event, actor), count in happened.items():
        key = (label, kind, event or "")
        events[key] = events.get(key, 0) + count
        actors[actor] = actors.get(actor, 0) + count
    attempts = refused.order_by().values_list("model_label", "event", "code").annotate(count=Count("id"))
    return Figures(
        period=period,
        events=tuple(EventCount(*key, count) for key, count in sorted(events.items())),
        actors=actors,
        refusals=tuple(RefusalCount(*row) for row in sorted(attempts)),
        stays=tuple(clock.figures()),
    )
