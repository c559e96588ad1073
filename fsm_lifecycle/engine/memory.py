"""The caller's copy of a record: kept as it was while a firing may still fail, brought up to date when it holds.

Must not know the database.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from fsm_lifecycle.engine import unsaved
from fsm_lifecycle.engine.binding import HEAD, SEQUENCE, SINCE, Binding
from fsm_lifecycle.engine.request import Request


class Memory:
    """What the record in memory was before the attempt."""

    __slots__ = ("fields_cache", "loaded", "record", "values")

    def __init__(self, record: Any) -> None:
        self.record = record
        self.values = record.__dict__.copy()
        self.loaded = getattr(record._state, "lifecycle_loaded", None)
        self.fields_cache = dict(record._state.fields_cache)

    def restore(self) -> None:
        """Make it that again, attribute by attribute."""
        record = self.record
        record.__dict__.clear()
        record.__dict__.update(self.values)
        record._state.fields_cache = self.fields_cache
        if self.loaded is None:  # nothing is known of it, so nothing may be taken for an edit
            vars(record._state).pop("lifecycle_loaded", None)
        else:
            record._state.lifecycle_loaded = self.loaded


def refresh(record: Any, binding: Binding, values: Mapping[str, Any]) -> None:
    """Take over the locked row, so that effects see no stale field and no stale relation."""
    held = record.__dict__
    held.update({name: values[name] for name in binding.attnames if name in values})
    unsaved.remember_all(record, binding)
    record._state.fields_cache.clear()


def advance(record: Any, binding: Binding, request: Request, row: Mapping[str, Any], now: datetime) -> None:
    """The record after its UPDATE: new state, sequence, head and stored arguments."""
    held = record.__dict__
    held[binding.state_name] = row["to_state"]
    if row["from_state"] != row["to_state"]:
        held[SINCE] = now
    held[SEQUENCE] = row["sequence"]
    held[HEAD] = row["entry_hash"]
    record._state.lifecycle_page = (
        None  # what was read about the records it came with is not about this one any more
    )
    for name in binding.worked_out:  # by the database, and read again when it is asked for
        held.pop(name, None)
    if request.plan.stores:
        for field in request.plan.stores:
            setattr(record, field.name, request.cleaned.get(field.name))
        unsaved.remember(record, binding, [f.attname for f in request.plan.stores])
