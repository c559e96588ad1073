"""Owns what is said of events that fire by themselves: when, and what keeps them from it. Must not know HTML."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from django.utils.formats import date_format

from fsm_lifecycle.engine.binding import Binding
from fsm_lifecycle.timers.upcoming import Upcoming, for_records, once_moved


def by_itself(record: Any) -> tuple[str, ...]:
    """What will fire by itself on a record, a sentence each, the next first.

    Asks the database only for models that have such events.
    """
    state = getattr(record, record._lifecycle.state_name)
    return tuple(_sentence(record, one, state) for one in for_records([record])[record.pk])


def by_itself_once_moved(record: Any, state: str) -> tuple[str, ...]:
    """What would fire by itself on a record that is moved to this state now."""
    return tuple(_sentence(record, one, state) for one in once_moved(record, state))


def _sentence(record: Any, upcoming: Upcoming, state: str) -> str:
    label, when = upcoming.event.label, _when(upcoming.due_at)
    if upcoming.refused_at is not None:
        return f"{label} did not fire by itself on {_when(upcoming.refused_at)}. It is tried again on {when}."
    binding: Binding = record._lifecycle
    leaves = f"unless the {binding.model._meta.verbose_name} leaves {binding.state_label(state)} first"
    if upcoming.due_at <= timezone.now():
        return f"{label} is due and fires by itself shortly, {leaves}."
    return f"{label} fires by itself on {when}, {leaves}."


def _when(moment: Any) -> str:
    return str(date_format(timezone.localtime(moment), "j M Y, H:i"))
