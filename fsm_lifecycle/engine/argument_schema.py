"""Owns how an event's argument form becomes JSON Schema (2020-12), for every surface that takes JSON.

The form goes on deciding: what its own ``clean`` asks for cannot be told in advance. Must not know the surfaces.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from django import forms
from django.core import validators
from django.db import models

#: JSON types and formats of form fields, the nearest class first.
_KINDS: Final[tuple[tuple[type[forms.Field], dict[str, Any]], ...]] = (
    (forms.NullBooleanField, {"type": ["boolean", "null"]}),
    (forms.BooleanField, {"type": "boolean"}),
    (forms.FloatField, {"type": "number"}),
    (forms.DecimalField, {"type": ["string", "number"]}),
    (forms.IntegerField, {"type": "integer"}),
    (forms.DateTimeField, {"type": "string", "format": "date-time"}),
    (forms.SplitDateTimeField, {"type": "string", "format": "date-time"}),
    (forms.DateField, {"type": "string", "format": "date"}),
    (forms.TimeField, {"type": "string", "format": "time"}),
    (forms.DurationField, {"type": "string"}),
    (forms.EmailField, {"type": "string", "format": "email"}),
    (forms.URLField, {"type": "string", "format": "uri"}),
    (forms.UUIDField, {"type": "string", "format": "uuid"}),
    (forms.JSONField, {}),
)


def can_be_json(form: type[forms.BaseForm] | None) -> bool:
    """Whether everything the form needs can be given in JSON; a file that must be there cannot."""
    return not any(isinstance(f, forms.FileField) and f.required for f in _fields(form).values())


def schema_of(form: type[forms.BaseForm] | None) -> dict[str, Any]:
    """The JSON Schema of an event's arguments: an object of the form's fields, and nothing else. Files are left out."""
    properties: dict[str, Any] = {}
    required: list[str] = []
    for name, field in _fields(form).items():
        if isinstance(field, forms.FileField):
            continue
        properties[name] = _described(field)
        if field.required:
            required.append(name)
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _fields(form: type[forms.BaseForm] | None) -> Mapping[str, forms.Field]:
    return {} if form is None else form.base_fields  # type: ignore[attr-defined]


def _described(field: forms.Field) -> dict[str, Any]:
    found = _kind(field)
    words = [str(text).strip() for text in (field.label, field.help_text) if text]
    if words:
        found["description"] = ". ".join(word.rstrip(".") for word in words) + "."
    return found


def _kind(field: forms.Field) -> dict[str, Any]:
    if isinstance(field, forms.ModelMultipleChoiceField):
        return {"type": "array", "items": _key(field)}
    if isinstance(field, forms.ModelChoiceField):
        return _optional(field, _key(field))
    if isinstance(field, forms.MultipleChoiceField):
        return {"type": "array", "items": {"enum": _values(field)}, "uniqueItems": True}
    if isinstance(field, forms.ChoiceField) and not isinstance(field, forms.NullBooleanField):
        return {"enum": _values(field) if field.required else [*dict.fromkeys([*_values(field), ""])]}
    found: dict[str, Any] = next(
        (dict(kind) for cls, kind in _KINDS if isinstance(field, cls)), {"type": "string"}
    )
    if isinstance(field, forms.BooleanField) and field.required and "null" not in found["type"]:
        return {"const": True}
    for validator in field.validators:
        for cls, name, fits in _LIMITS:
            if type(validator) is cls and fits(found):
                limit = getattr(validator, "limit_value", None)
                found[name] = limit() if callable(limit) else limit
    return _optional(field, found)


def _textual(found: Mapping[str, Any]) -> bool:
    return found.get("type") == "string"


def _numeric(found: Mapping[str, Any]) -> bool:
    return found.get("type") in ("integer", "number")


_LIMITS: Final[tuple[tuple[Any, str, Callable[[Mapping[str, Any]], bool]], ...]] = (
    (validators.MinValueValidator, "minimum", _numeric),
    (validators.MaxValueValidator, "maximum", _numeric),
    (validators.MinLengthValidator, "minLength", _textual),
    (validators.MaxLengthValidator, "maxLength", _textual),
)


def _optional(field: forms.Field, found: dict[str, Any]) -> dict[str, Any]:
    """What may be left out may also be given as ``null``."""
    if field.required or "type" not in found:
        return found
    types = found["type"] if isinstance(found["type"], list) else [found["type"]]
    return {**found, "type": [*dict.fromkeys([*types, "null"])]}


def _key(field: Any) -> dict[str, Any]:
    queryset = field.queryset
    if queryset is None or field.to_field_name:  # set when the form is made, or some other field
        return {"type": ["integer", "string"]}
    if isinstance(queryset.model._meta.pk, models.IntegerField):
        return {"type": ["integer", "string"]}
    return {"type": "string"}


def _values(field: Any) -> list[Any]:
    """The values of a choice, without the headings of its groups."""
    found: list[Any] = []
    for value, label in field.choices:
        if isinstance(label, list | tuple):
            found += [inner for inner, _ in label]
        else:
            found.append(value)
    return [value if isinstance(value, str | int | bool) or value is None else str(value) for value in found]
