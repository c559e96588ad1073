"""What a message says: made from its entry at every try, so that the same bytes come out and none are stored.

After a redaction a full one is sent thin; everything else is the same as at the first try. Must not know how it is
sent.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from django.core.serializers.json import DjangoJSONEncoder

from fsm_lifecycle.append_only import key_text
from fsm_lifecycle.engine.binding import SEQUENCE
from fsm_lifecycle.ledger.body import BodyMismatch
from fsm_lifecycle.ledger.entry import TransitionLog
from fsm_lifecycle.ledger.recordable import RecordRef
from fsm_lifecycle.webhooks.delivery import WebhookDelivery
from fsm_lifecycle.webhooks.endpoint import WebhookEndpoint
from fsm_lifecycle.webhooks.filters import type_of
from fsm_lifecycle.webhooks.owners import family, opened, records

#: The most bytes of a message; a full one that would be longer is sent thin.
LARGEST: Final = 20_000
TEST: Final = "fsm_lifecycle.test"


def body_of(delivery: WebhookDelivery, entry: TransitionLog | None) -> bytes:
    """The bytes of a message. Without an entry it is a test."""
    if entry is None:
        return _dumped(delivery, TEST, delivery.created_at, _nothing(delivery))
    type_ = type_of(entry.model_label, entry.kind, entry.event)
    thin = _thin(entry)
    if delivery.payload == WebhookEndpoint.FULL and delivery.fields is not None:
        held = json.loads(delivery.fields)
        full = {**thin, "payload": "full", **_more(entry, held.pop("of", None)), **held}
        body = _dumped(delivery, type_, entry.recorded_at, full)
        if len(body) <= LARGEST:
            return body
    return _dumped(delivery, type_, entry.recorded_at, thin)


def fields_of(entries: Iterable[TransitionLog], using: str) -> dict[str, str]:
    """For entries by hash: the opened fields of their records as they are now, as ``fields`` of a delivery.

    Nothing for those whose record is gone, or has more in its fields than a message holds.
    """
    by_model: dict[str, dict[str, list[TransitionLog]]] = {}
    for entry in entries:
        by_model.setdefault(entry.model_label, {}).setdefault(entry.object_pk, []).append(entry)
    found: dict[str, str] = {}
    for label, by_key in by_model.items():
        texts: dict[str, str] = {}
        for model in family(label):  # a child's own fields in place of its parent's
            for record in records(model, by_key, using):
                texts[key_text(record.pk)] = _held(record, model)
        for key, text in texts.items():
            if len(text) <= LARGEST:
                found.update({entry.entry_hash: text for entry in by_key.get(key, ())})
    return found


def _held(record: Any, model: Any) -> str:
    values = {field.name: field.value_from_object(record) for field in opened(model)}
    of = model._meta.label_lower
    return _json({"of": of, "fields": values, "fields_sequence": getattr(record, SEQUENCE)})


def _thin(entry: TransitionLog) -> dict[str, Any]:
    return {
        "payload": "thin",
        "model": entry.model_label,
        "pk": entry.object_pk,
        "sequence": entry.sequence,
        "kind": entry.kind,
        "event": entry.event,
        "from": entry.from_state,
        "to": entry.to_state,
        "actor": {"kind": entry.actor_kind, "id": entry.actor_id, "label": None},
        "occurred_at": _moment(entry.happened_at),
        "recorded_at": _moment(entry.recorded_at),
        "entry": entry.entry_hash,
        "cause": entry.cause,
    }


def _nothing(delivery: WebhookDelivery) -> dict[str, Any]:
    """What a test says: the same keys, so that a receiver that reads them takes it."""
    made = _moment(delivery.created_at)
    return {
        "payload": "thin",
        "model": TEST,
        "pk": str(delivery.endpoint_id),
        "sequence": 0,
        "kind": "test",
        "event": None,
        "from": None,
        "to": None,
        "actor": {"kind": "system", "id": "test", "label": None},
        "occurred_at": made,
        "recorded_at": made,
        "entry": None,
        "cause": None,
    }


def _more(entry: TransitionLog, of: str | None) -> dict[str, Any]:
    """What a full message says of the entry: the actor's name, and of what was kept in it the opened fields.

    ``of``: the label of the model that opens them.
    """
    models = [model for model in family(entry.model_label) if model._meta.label_lower == of]
    names = {name for model in models for field in opened(model) for name in (field.name, field.attname)}
    try:
        kept: dict[str, Mapping[str, Any]] = {
            "arguments": entry.arguments,
            "metadata": entry.metadata,
            "snapshot": entry.snapshot or {},
        }
        label = entry.actor_label
    except BodyMismatch:  # damaged: verify says so
        return {}
    shown = {
        part: {key: value for key, value in values.items() if key in names} for part, values in kept.items()
    }
    return {"actor": {"kind": entry.actor_kind, "id": entry.actor_id, "label": label or None}, **shown}


def _dumped(delivery: WebhookDelivery, type_: str, moment: datetime, data: Mapping[str, Any]) -> bytes:
    message = {"type": type_, "id": delivery.message_id, "timestamp": _moment(moment), "data": data}
    return _json(message).encode()


def _json(value: Any) -> str:
    try:
        return _text(value)
    except ValueError:  # infinity, or what is no number: JSON has neither
        return _text(json.loads(json.dumps(value, cls=_Encoder), parse_constant=lambda name: None))


def _text(value: Any) -> str:
    return json.dumps(value, cls=_Encoder, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _moment(moment: datetime) -> str:
    """RFC 3339 in UTC, in milliseconds: what the log keeps."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class _Encoder(DjangoJSONEncoder):
    def default(self, o: Any) -> Any:
        if isinstance(o, datetime):
            return _moment(o) if o.tzinfo else o.isoformat()
        if isinstance(o, bytes | bytearray | memoryview):
            return base64.b64encode(bytes(o)).decode("ascii")
        if isinstance(o, RecordRef):
            return {"model": o.model, "pk": o.pk}
        try:
            return super().default(o)
        except TypeError:
            return str(o)
