"""Owns the inputs of forms that a browser helps with: its own for dates and times. Must not know who fills them in."""

from __future__ import annotations

from typing import Any, Final

from django import forms

#: Django's input → a browser's, and how it writes a value.
_INPUTS: Final[dict[type, tuple[str, str]]] = {
    forms.DateTimeInput: ("datetime-local", "%Y-%m-%dT%H:%M"),
    forms.DateInput: ("date", "%Y-%m-%d"),
    forms.TimeInput: ("time", "%H:%M"),
}


def help_the_browser(form: forms.BaseForm) -> None:
    """Give plain dates, times and texts of a form the browser's own inputs. What its author has chosen stays."""
    for field in form.fields.values():
        widget: Any = field.widget
        kind, wanted = _INPUTS.get(type(widget), ("", ""))
        # A field with formats of its own may not read what a browser sends.
        if kind and (isinstance(field, forms.DateTimeField) or wanted in getattr(field, "input_formats", ())):
            widget.input_type, widget.format = kind, wanted
        elif type(widget) is forms.Textarea and str(widget.attrs.get("rows")) == "10":  # Django's default
            widget.attrs["rows"] = "4"
