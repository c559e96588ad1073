"""Whether an entry keeps field values, and which. Must not know how the entry is written."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import DecimalField, Field, FileField, Model

from fsm_lifecycle.definition import State
from fsm_lifecycle.engine.binding import HEAD, SEQUENCE, SINCE, Binding, Plan
from fsm_lifecycle.ledger.entry import TransitionLog


def reason_for(
    plan: Plan,
    connection: BaseDatabaseWrapper,
    *,
    binding: Binding,
    object_pk: str,
    target: State,
    now: datetime,
    forced: bool | None,
) -> str | None:
    """Why this entry keeps a snapshot, or ``None``. May read the log once (``every_nth``, ``interval``)."""
    if forced is not None:
        return "manual" if forced else None
    policy = plan.snapshot
    if policy is None:
        return None
    if policy.reason == "every":
        return "every"
    if policy.reason == "terminal":
        return "terminal" if target.terminal else None
    log = TransitionLog.objects.using(connection.alias).filter(model_label=binding.label, object_pk=object_pk)
    if policy.reason == "nth":
        return "nth" if (log.filter(kind="transition").count() + 1) % policy.n == 0 else None
    assert policy.period is not None
    last = log.with_snapshot().order_by("-sequence").values_list("recorded_at", flat=True).first()
    return "interval" if last is None or now - last >= policy.period else None


def fields_of(binding: Binding) -> list[Field[Any, Any]]:
    """The fields a snapshot keeps, by the policy of the table.

    Never the key, nor the head, which is the hash of the very entry that keeps them.
    """
    policy = binding.table.snapshot
    fields = [f for f in binding.model._meta.concrete_fields if not f.primary_key and f.name != HEAD]
    if policy is None or not policy.fields:
        return fields
    return [f for f in fields if f.name in policy.fields or f.attname in policy.fields]


def as_left(
    binding: Binding, row: Any, *, state: str, now: datetime, stored: Mapping[str, Any]
) -> dict[str, Any] | None:
    """What the UPDATE changes in ``row``, by field: the new state and the stored arguments.

    ``None`` where only the database can tell, because it works a field out or does not store an argument as given.
    """
    changed: dict[str, Any] = {binding.state_name: state, SEQUENCE: getattr(row, SEQUENCE) + 1}
    if state != getattr(row, binding.state_name):
        changed[SINCE] = now
    for field in fields_of(binding):
        if getattr(field, "generated", False):
            return None
        if field.name in stored:
            value = stored[field.name]
            if isinstance(value, Model):
                value = getattr(value, field.target_field.attname)  # type: ignore[attr-defined]
            if not _kept_as_given(field, value):
                return None
            changed[field.name] = value
    return changed


def _kept_as_given(field: Field[Any, Any], value: Any) -> bool:
    if isinstance(field, DecimalField) and isinstance(value, Decimal):
        exponent = value.as_tuple().exponent
        return isinstance(exponent, int) and -exponent <= (field.decimal_places or 0)
    try:
        return bool(field.to_python(value) == value)
    except ValidationError:
        return False


def values_of(binding: Binding, row: Any, changed: Mapping[str, Any]) -> dict[str, Any]:
    """The field values of ``row`` that a snapshot keeps, with what has changed in it."""
    kept: dict[str, Any] = {}
    for field in fields_of(binding):
        value = changed[field.name] if field.name in changed else getattr(row, field.attname)
        if isinstance(field, FileField):
            value = str(value or "")
        kept[field.name] = value
    return kept
