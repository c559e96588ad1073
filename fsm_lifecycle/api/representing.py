"""Owns how a record is shown and written: the serializer made of what a lifecycle opens by ``api_fields``.

By default a record is its key, name, state, sequence and the events it could take now. Must not know requests beyond
the user who asks.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from django.db import models
from rest_framework import serializers

from fsm_lifecycle.append_only import key_text
from fsm_lifecycle.definition.api_fields import PROVENANCE, SHOWN_ANYWAY, opened_names
from fsm_lifecycle.engine.binding import SEQUENCE, SINCE, Binding, binding_of
from fsm_lifecycle.presentation.opened import Opened

#: Serializer fields by what a key is.
_KEYS: Final = (
    (models.IntegerField, serializers.IntegerField),
    (models.UUIDField, serializers.UUIDField),
)


class VisibleRelatedField(serializers.PrimaryKeyRelatedField):  # type: ignore[misc]
    """A reference, which a client may set to what that client may read."""

    def get_queryset(self) -> Any:
        found = super().get_queryset()
        if found is not None and hasattr(found.model, "_lifecycle"):
            found = found.visible_to(self.context["request"].user)
        return found


class LabelField(serializers.CharField):  # type: ignore[misc]
    """What people call the record."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(source="*", read_only=True)

    def to_representation(self, value: Any) -> str:
        return str(value)


class AvailableEventsField(serializers.ListField):  # type: ignore[misc]
    """The names of the events that the asking user could fire on the record now."""

    def __init__(self, names: Sequence[str]) -> None:
        child = serializers.ChoiceField(choices=list(names)) if names else serializers.CharField()
        super().__init__(child=child, source="*", read_only=True)

    def to_representation(self, value: Any) -> list[str]:
        request = self.context.get("request")
        if request is None:
            return []
        return [event.name for event in value.available_events(actor=request.user)]


class RecordSerializer(serializers.ModelSerializer):  # type: ignore[misc]
    """What every record shows. ``created_by``, the key and the package's own columns are never written."""

    serializer_related_field = VisibleRelatedField

    def get_default_field_names(self, declared_fields: Any, model_info: Any) -> list[str]:
        return list(declared_fields)


@cache
def serializer_for(model: Any) -> type[Any]:
    """The serializer of a lifecycle's records."""
    binding = binding_of(model)
    opened = [name for name in opened_names(binding.table) if _field(model, name) is not None]
    names = [*SHOWN_ANYWAY, *(name for name in opened if name not in SHOWN_ANYWAY)]
    own = {
        "id": _key_field(binding),
        "state": serializers.CharField(
            **({} if binding.state_name == "state" else {"source": binding.state_name}), read_only=True
        ),
        "sequence": serializers.IntegerField(source=SEQUENCE, read_only=True),
        "available_events": AvailableEventsField(list(binding.plans)),
    }
    if "label" not in opened:
        own["label"] = LabelField()
    meta = type(
        "Meta",
        (),
        {"model": model, "fields": names, "read_only_fields": [n for n in opened if is_fixed(binding, n)]},
    )
    about = {"__doc__": f"One {model._meta.verbose_name}.", "__module__": __name__, "Meta": meta}
    return type(component_name(model) + "Serializer", (RecordSerializer,), {**own, **about})


def component_name(model: Any) -> str:
    """``BillingInvoice``."""
    return "".join(part.capitalize() for part in model._meta.app_label.split("_")) + str(model.__name__)


def is_fixed(binding: Binding, name: str) -> bool:
    """Whether a client cannot write a field, opened or not."""
    field = _field(binding.model, name)
    return (
        field is None
        or name == PROVENANCE
        or name in binding.own_columns
        or not field.editable
        or isinstance(field, models.FileField)  # a file is no JSON
        or (field.primary_key and not _chosen_key(field))
    )


def _chosen_key(field: Any) -> bool:
    """Whether whoever makes a record says what its key is."""
    return not isinstance(field, models.AutoField) and not field.has_default() and field.remote_field is None


def missing_for_creation(model: Any) -> list[str]:
    """The fields that a new record needs and that a client cannot write."""
    binding = binding_of(model)
    opened = set(opened_names(binding.table))
    return [
        field.name
        for field in model._meta.concrete_fields
        if not (field.null or field.blank or field.has_default() or field.name in binding.own_columns)
        and not isinstance(field, models.AutoField)
        and getattr(field, "db_default", models.NOT_PROVIDED) is models.NOT_PROVIDED
        and not getattr(field, "auto_created", False)
        and field.name != PROVENANCE
        and (field.name not in opened or is_fixed(binding, field.name))
    ]


def fix(serializer: Any, binding: Binding) -> Any:
    """Make what no client may write read-only, whatever a serializer of the app's own says."""
    fixed = {PROVENANCE, f"{PROVENANCE}_id", *binding.own_columns}
    inner = getattr(serializer, "child", serializer)
    for field in inner.fields.values():
        if field.source in fixed and not field.read_only:
            field.read_only, field.required = True, False
    instance = getattr(serializer, "instance", None)
    if isinstance(instance, models.Model):
        key = binding.model._meta.pk
        for field in inner.fields.values():
            if key is not None and field.source in ("pk", key.name, key.attname):
                field.read_only, field.required = True, False
    return serializer


def opened_by(model: Any, serializer: Any = None) -> Opened:
    """Which values of a model's records the API shows: a serializer's of the app's own, else the lifecycle's."""
    binding = binding_of(model)
    if serializer is None:
        names: list[str] = list(opened_names(binding.table))
    else:
        names = [str(field.source) for field in serializer.fields.values() if not field.write_only]
    return Opened.of(model, [*names, binding.state_name])


def orderings(model: Any) -> dict[str, Any]:
    """The fields by which a list can be ordered: those that are shown and always have a value."""
    found: dict[str, Any] = {"id": model._meta.pk, SINCE: model._meta.get_field(SINCE)}
    kinds = (
        models.IntegerField,
        models.DecimalField,
        models.DateField,
        models.CharField,
        models.BooleanField,
        models.UUIDField,
    )
    for name in opened_names(binding_of(model).table):
        field = _field(model, name)
        if field is not None and not field.null and isinstance(field, kinds) and name not in found:
            found[name] = field
    return found


def _field(model: Any, name: str) -> Any:
    return next((field for field in model._meta.concrete_fields if field.name == name), None)


def _key_field(binding: Binding) -> Any:
    field: Any = binding.pk
    while field.remote_field is not None:
        field = field.target_field
    kind = next((ours for theirs, ours in _KEYS if isinstance(field, theirs)), serializers.CharField)
    return kind(source="pk", read_only=True)


def described(record: Any) -> str:
    """A record as the log names it."""
    return f"{type(record)._lifecycle.label}:{key_text(record.pk)}"
