"""How a log entry is shown to a client: what is hashed about it, and of its body what the API has opened.

Must not know who may see the entry: only entries that were found for this user come here.
"""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.utils.duration import duration_iso_string

from fsm_lifecycle.api.representing import opened_by
from fsm_lifecycle.ledger.body import BodyMismatch
from fsm_lifecycle.ledger.canonical import RecordRef
from fsm_lifecycle.models import TransitionLog
from fsm_lifecycle.presentation.opened import Opened
from fsm_lifecycle.registry import lifecycles

#: What the entry's body may say beside values of the record.
_WORDS = ("branch", "on_behalf_of", "reason", "snapshot_reason")


class Entries:
    """Represents entries; what is opened of each model is looked up once."""

    def __init__(self, opened: Mapping[str, Opened] | None = None) -> None:
        self._opened: dict[str, Opened | None] = dict(opened or {})

    def represent(self, entry: TransitionLog, **more: Any) -> dict[str, Any]:
        """One entry as plain JSON values."""
        return {
            "hash": entry.entry_hash,
            "model": entry.model_label,
            "id": entry.object_pk,
            "sequence": entry.sequence,
            "kind": entry.kind,
            "event": entry.event,
            "from": entry.from_state,
            "to": entry.to_state,
            "compensating": bool(entry.compensating),
            "recorded_at": moment(entry.recorded_at),
            "occurred_at": moment(entry.occurred_at),
            "cause": entry.cause,
            "definition": entry.definition,
            "previous": entry.prev_hash,
            **self._told(entry),
            **more,
        }

    def _told(self, entry: TransitionLog) -> dict[str, Any]:
        """What the body says; nothing of one that cannot be read, which is what verification is for."""
        told: dict[str, Any] = {"actor": {"kind": entry.actor_kind, "id": entry.actor_id, "label": None}}
        told |= dict.fromkeys(("arguments", "metadata", "snapshot", *_WORDS))
        told["redacted"] = []
        try:
            fields = entry.fields
        except BodyMismatch:
            return told
        told["redacted"] = sorted(name for name, field in fields.items() if field.redacted)
        values = {name: field.value for name, field in fields.items() if not field.redacted}
        actor = values.get("actor")
        if isinstance(actor, dict):
            told["actor"]["label"] = str(actor.get("label") or "") or None
            if "agent" in actor:
                told["actor"]["agent"] = str(actor["agent"])
        opened = self._opened_of(entry.model_label)
        for name in ("arguments", "metadata"):
            if isinstance(values.get(name), dict):
                # None where the model is not known any more.
                told[name] = {} if opened is None else as_json(opened.inside(values[name]))
        if isinstance(kept := values.get("snapshot"), dict):
            told["snapshot"] = {
                name: as_json(value)
                for name, value in kept.items()
                if opened is not None and opened.shows_field(name)
            }
        for name in _WORDS:
            told[name] = as_json(values.get(name))
        return told

    def _opened_of(self, label: str) -> Opened | None:
        if label not in self._opened:
            model = next((m for m in lifecycles() if m._lifecycle.label == label), None)
            self._opened[label] = None if model is None else opened_by(model)
        return self._opened[label]


def moment(when: dt.datetime | None) -> str | None:
    """A time as ISO 8601, in UTC."""
    return None if when is None else when.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")


def as_json(value: Any) -> Any:
    """A recorded value as plain JSON."""
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {str(key): as_json(one) for key, one in value.items()}
    if isinstance(value, RecordRef):
        return {"model": value.model, "id": value.pk}
    if isinstance(value, list | tuple):
        return [as_json(one) for one in value]
    if isinstance(value, dt.datetime):
        return moment(value)
    if isinstance(value, dt.timedelta):
        return duration_iso_string(value)
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Decimal | UUID):
        return str(value)
    return str(value)
