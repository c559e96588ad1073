"""Arguments: cleaned by the event's form, and made into something that can be recorded.

Must not know states or guards.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet
from django.forms import MultiWidget

from fsm_lifecycle.engine.binding import Plan


def clean(plan: Plan, arguments: Mapping[str, Any] | None) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """The cleaned arguments and the errors by field; ``""`` holds what belongs to no single field.

    A name that the form does not have is an error of its own, so that a misspelt argument is never ignored.
    """
    given = dict(arguments or {})
    if plan.form is None:
        return {}, {name: [f"“{plan.event.label}” takes no arguments."] for name in given}
    known = plan.form.base_fields
    inputs = {f"{name}{suffix}" for name, field in known.items() for suffix in _suffixes(field.widget)}
    errors = {
        name: [f"“{plan.event.label}” has no argument of this name. It takes {', '.join(known) or 'none'}."]
        for name in given
        if name not in known and name not in inputs
    }
    for name, field in known.items():
        if name in given and isinstance(field.widget, MultiWidget):
            # A browser sends its inputs one by one; a program gives the value as it is.
            parts = field.widget.decompress(given.pop(name)) or []
            given.update(zip((f"{name}{suffix}" for suffix in _suffixes(field.widget)), parts, strict=False))
    form = plan.form(data=given, files=given)
    if not form.is_valid():
        for name, texts in form.errors.items():
            errors["" if name == "__all__" else name] = [str(text) for text in texts]
    if errors:
        return {}, errors
    return dict(form.cleaned_data), {}


def _suffixes(widget: Any) -> list[str]:
    """What a widget with several inputs puts behind the field's name: ``_0``, ``_1``."""
    return list(getattr(widget, "widgets_names", ()))


def recordable(values: Mapping[str, Any]) -> dict[str, Any]:
    """Cleaned arguments as the log keeps them: a queryset becomes the list of its records."""
    return {name: list(v) if isinstance(v, QuerySet) else v for name, v in values.items()}
