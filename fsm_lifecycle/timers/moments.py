"""Owns when an event fires by itself, reckoned from a record and the table alone.

Must not know what timers there are.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import MAXYEAR, UTC, date, datetime, time, timedelta
from typing import Any, Final

from django.db import connections
from django.db.models import QuerySet
from django.utils import timezone

from fsm_lifecycle.append_only import key_text
from fsm_lifecycle.definition import BusinessHours, Event
from fsm_lifecycle.engine.binding import SEQUENCE, SINCE, Binding
from fsm_lifecycle.engine.families import children_with_own_table
from fsm_lifecycle.registry import lifecycles

logger = logging.getLogger("fsm_lifecycle")

#: What is earlier is as late as this. Days near the ends of the calendar have no time in every zone and database, and
#: one of them must not hold up the timers of all other records.
LONG_AGO: Final = datetime(1900, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Facts:
    """What of a record its timers depend on."""

    binding: Binding
    """Of the model whose table it follows."""
    key: Any
    state: str
    since: datetime
    sequence: int
    times: Mapping[str, Any]
    """The values of the fields that ``at=`` names."""


def timed(binding: Binding) -> list[Event]:
    """The events of a lifecycle that fire by themselves."""
    return [
        event for event in binding.table.events.values() if event.after is not None or event.at is not None
    ]


def timed_labels() -> dict[str, Binding]:
    """The labels of the logs whose records may have timers, each with the binding that owns its state column."""
    found: dict[str, Binding] = {}
    for model in lifecycles():
        binding = model._lifecycle
        if timed(binding):
            found[binding.label] = binding.owner._lifecycle  # type: ignore[attr-defined]
    return found


def family(owner: Binding) -> list[Binding]:
    """The bindings whose tables the rows of a label follow, the most specific last."""
    return [owner, *(child._lifecycle for child in children_with_own_table(owner))]  # type: ignore[attr-defined]


def fields_of(binding: Binding) -> list[str]:
    """The fields that ``at=`` names and that there are."""
    known = {field.name for field in binding.model._meta.concrete_fields}
    return list(dict.fromkeys(e.at for e in timed(binding) if e.at is not None and e.at in known))


def facts(using: str, owner: Binding, keys: Iterable[Any], *, lock: bool = False) -> dict[str, Facts]:
    """What records hold now, by their keys as text. ``lock``: under the lock of their rows, one after the other."""
    wanted = list(keys)
    found: dict[str, Facts] = {}
    for binding in family(owner) if wanted else ():
        times = fields_of(binding)
        rows: QuerySet[Any] = QuerySet(binding.model, using=using)
        rows = rows.filter(**{f"{binding.key_attname}__in": wanted}).order_by(binding.key_attname)
        if lock:
            rows = _locked(rows)
        for key, state, since, sequence, *values in rows.values_list(
            binding.key_attname, binding.state_name, SINCE, SEQUENCE, *times
        ):
            held = dict(zip(times, values, strict=True))
            found[key_text(key)] = Facts(binding, key, state, since, sequence, held)
    return found


def _locked(rows: QuerySet[Any]) -> QuerySet[Any]:
    features = connections[rows.db].features
    if not features.has_select_for_update:
        return rows
    return rows.select_for_update(no_key=features.has_select_for_no_key_update)


def facts_of(record: Any) -> Facts:
    """The same of a record in memory."""
    binding: Binding = record._lifecycle
    return Facts(
        binding,
        binding.key_of(record),
        getattr(record, binding.state_name),
        getattr(record, SINCE),
        getattr(record, SEQUENCE),
        {name: getattr(record, name) for name in fields_of(binding)},
    )


def fires_at(event: Event, record: Facts) -> datetime | None:
    """When the event fires by itself on a record that stays as it is; ``None`` when it does not."""
    if record.state not in event.sources or record.sequence == 0:
        return None
    if event.at is not None:
        return _moment(record.times.get(event.at))
    assert event.after is not None
    try:
        return _within(record.since + event.after)
    except OverflowError:  # after the last day that a computer knows
        return None


def _moment(value: Any) -> datetime | None:
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time.min)
    return _within(value) if isinstance(value, datetime) else None


def _within(moment: datetime) -> datetime | None:
    """An aware moment that any zone and database can hold. The last year is never."""
    if moment.year == MAXYEAR:
        return None
    if moment.year < LONG_AGO.year:
        return LONG_AGO
    return timezone.make_aware(moment) if timezone.is_naive(moment) else moment


def moments(record: Facts) -> dict[str, tuple[Event, datetime]]:
    """Every event that fires by itself on this record, by name, and when."""
    found = {}
    for event in timed(record.binding):
        moment = fires_at(event, record)
        if moment is not None:
            found[event.name] = (event, moment)
    return found


def deferred(event: Event, moment: datetime) -> datetime:
    """The first moment from then on at which the business hours of the event are open.

    Hours with a clock of their own are asked by it: they are as much ahead of us then as they are now.
    """
    hours = [guard.function for guard in event.guards if isinstance(guard.function, BusinessHours)]
    try:
        now = timezone.now()
        ahead = [timedelta(0) if one.clock is None else one.now() - now for one in hours]
        for _ in range(len(hours) * 100):
            opens = [one.next_open(moment + by) for one, by in zip(hours, ahead, strict=True)]
            later = max(
                (moment if at is None else at - by for at, by in zip(opens, ahead, strict=True)),
                default=moment,
            )
            if later == moment:
                break
            moment = later
    except Exception:  # holidays= is the project's own code; as a guard it denies
        logger.exception("The business hours of %s could not be asked.", event.name)
    return moment
