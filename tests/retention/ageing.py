"""Owns records whose retention is over: made now, and in their state for as long as a test says."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from fsm_lifecycle.models import LifecycleModel
from tests.acting import ACTOR
from tests.testapp.models import Document, Light, Parcel, Treaty

#: The events that bring a model into a state of its retention.
WAY: dict[type[LifecycleModel], list[str]] = {
    Light: ["smash"],
    Parcel: ["ship", "deliver"],
    Document: ["finish"],
    Treaty: ["finish"],
}


def aged(record: Any, days: float) -> Any:
    """The record, loaded again, as if it had come into its state so many days ago."""
    rows = type(record)._default_manager.filter(pk=record.pk)
    rows.update(state_since=timezone.now() - timedelta(days=days))
    return rows.get()


def finished(model: Any, days: float = 400, **values: Any) -> Any:
    """A new record that came into the state of its retention so many days ago."""
    record = model.objects.create(**values)
    for event in WAY[model]:
        record.fire(event, actor=ACTOR)
    return aged(record, days)
