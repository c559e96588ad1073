"""The form of a record: what a client may write, and inputs that a browser helps with.

Must not know who fills it in.
"""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.forms.fields import InvalidJSONInput

#: Set by the server, whatever a form declares.
PROVENANCE: Final = "created_by"


class LifecycleForm(forms.ModelForm):  # type: ignore[type-arg]
    """A ``ModelForm`` for a model with a lifecycle.

    The state, its columns and ``created_by`` are taken out of it, also where ``fields`` names them. Dates and times
    get the browser's own inputs.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        own = {*self._meta.model._lifecycle.own_columns, PROVENANCE}
        for name in own & set(self.fields):
            del self.fields[name]
        for field in self.fields.values():
            _help_the_browser(field)

    def get_initial_for_field(self, field: forms.Field, field_name: str) -> Any:
        """As Django's; nothing is shown as nothing, and not as JSON's ``null``."""
        value = super().get_initial_for_field(field, field_name)
        return InvalidJSONInput("") if value is None and isinstance(field, forms.JSONField) else value


def _help_the_browser(field: forms.Field) -> None:
    widget: Any = field.widget
    if isinstance(widget, forms.DateTimeInput):
        widget.input_type, widget.format = "datetime-local", "%Y-%m-%dT%H:%M"
    elif isinstance(widget, forms.DateInput):
        widget.input_type, widget.format = "date", "%Y-%m-%d"
    elif isinstance(widget, forms.TimeInput):
        widget.input_type, widget.format = "time", "%H:%M"
    elif isinstance(widget, forms.Textarea):
        widget.attrs["rows"] = "4"
        widget.attrs.pop("cols", None)
