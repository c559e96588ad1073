"""From JSON to an event's argument form: which shapes fit, and what a form must be given.

The form judges values; here only what JSON can say and a browser cannot is told apart (a list where a text belongs).
Must not know states or guards.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from django import forms
from django.forms.models import ModelMultipleChoiceField
from django.utils.dateparse import parse_datetime

from fsm_lifecycle.api.problem import Fault

#: What an argument of a kind has to be in JSON: the kinds of Python values, and how that is said.
_SHAPES: Final[tuple[tuple[type[forms.Field], tuple[type, ...], str], ...]] = (
    (forms.BooleanField, (bool,), "true or false"),
    (forms.DecimalField, (int, float, str), "a number, or a text that holds one"),
    (forms.FloatField, (int, float), "a number"),
    (forms.DurationField, (str, int, float), "a text, or seconds"),
    (forms.IntegerField, (int,), "a whole number"),
    (forms.JSONField, (object,), "JSON"),
    (forms.MultiValueField, (str, list), "a text, or a list of its parts"),
    (forms.MultipleChoiceField, (list,), "a list"),
    (ModelMultipleChoiceField, (list,), "a list"),
    (forms.ModelChoiceField, (str, int), "a key"),
    (forms.ChoiceField, (str, int, bool), "one of the choices"),
)


def form_input(form: Any, given: Mapping[str, Any]) -> tuple[dict[str, Any], list[Fault]]:
    """What ``fire()`` is given for the arguments of a request, and what does not fit. Unknown names are left as is."""
    fields: Mapping[str, forms.Field] = getattr(form, "base_fields", {})
    found: dict[str, Any] = {}
    faults: list[Fault] = []
    for name, value in given.items():
        field = fields.get(name)
        if field is None or value is None:
            if field is None:
                found[name] = value
            continue
        if isinstance(field, forms.FileField):
            faults.append(Fault(name, "A file cannot be sent as JSON."))
        elif wrong := _misfit(field, value):
            faults.append(Fault(name, f"Give {wrong}."))
        else:
            _CONVERTERS.get(_kind(field), _as_it_is)(name, field, value, found)
    return found, faults


def unknown_names(form: Any, given: Mapping[str, Any]) -> list[str]:
    """The names that the event's form does not have."""
    return [name for name in given if name not in getattr(form, "base_fields", {})]


def _misfit(field: forms.Field, value: Any) -> str:
    for kind, types, words in _SHAPES:
        if isinstance(field, kind):
            if isinstance(value, bool) and bool not in types and object not in types:
                return words
            if not isinstance(value, types):
                return words
            if list in types and isinstance(value, list) and not all(map(_scalar, value)):
                return words
            return ""
    return "" if isinstance(value, str) else "a text"


def _scalar(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float | bool)


def _kind(field: forms.Field) -> type[forms.Field] | None:
    return next((kind for kind in _CONVERTERS if kind is not None and isinstance(field, kind)), None)


def _as_it_is(name: str, field: forms.Field, value: Any, found: dict[str, Any]) -> None:
    found[name] = value


def _json(name: str, field: forms.Field, value: Any, found: dict[str, Any]) -> None:
    # The form would read a text as JSON; here it is a value already.
    found[name] = json.dumps(value) if isinstance(value, str) else value


def _parts(name: str, field: forms.Field, value: Any, found: dict[str, Any]) -> None:
    suffixes = list(getattr(field.widget, "widgets_names", ()))
    if isinstance(value, str):
        moment = _moment(value) if isinstance(field, forms.SplitDateTimeField) else None
        if moment is not None:
            found[name] = moment
            return
        value = [value]
    found.update((f"{name}{suffix}", part) for suffix, part in zip(suffixes, value, strict=False))


def _moment(text: str) -> Any:
    try:
        return parse_datetime(text)
    except ValueError:
        return None


_CONVERTERS: Final[
    dict[type[forms.Field] | None, Callable[[str, forms.Field, Any, dict[str, Any]], None]]
] = {
    forms.JSONField: _json,
    forms.MultiValueField: _parts,
}
