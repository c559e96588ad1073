"""The form of a record: what a client may write.

Must not know who fills it in.
"""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.db import models
from django.forms.fields import InvalidJSONInput
from django.forms.models import ModelFormMetaclass

from fsm_lifecycle.presentation.inputs import help_the_browser

#: Set by the server, whatever a form declares.
PROVENANCE: Final = "created_by"


def _form_field(field: models.Field[Any, Any], **kwargs: Any) -> forms.Field | None:
    """As Django's; an address without a scheme is one of HTTPS, as from Django 6.0 on."""
    if isinstance(field, models.URLField):
        kwargs.setdefault("assume_scheme", "https")
    return field.formfield(**kwargs)


class _FormType(ModelFormMetaclass):
    def __new__(mcs, name: str, bases: tuple[type, ...], attrs: dict[str, Any]) -> Any:
        meta = attrs.get("Meta")
        if meta is not None and not hasattr(meta, "formfield_callback"):
            meta.formfield_callback = staticmethod(_form_field)
        return super().__new__(mcs, name, bases, attrs)


class LifecycleForm(forms.ModelForm, metaclass=_FormType):  # type: ignore[type-arg]
    """A ``ModelForm`` for a model with a lifecycle.

    The state, its columns and ``created_by`` are taken out of it, also where ``fields`` names them. Dates and times
    get the browser's own inputs.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        own = {*self._meta.model._lifecycle.own_columns, PROVENANCE}
        for name in own & set(self.fields):
            del self.fields[name]
        help_the_browser(self)

    def get_initial_for_field(self, field: forms.Field, field_name: str) -> Any:
        """As Django's; nothing is shown as nothing, and not as JSON's ``null``."""
        value = super().get_initial_for_field(field, field_name)
        return InvalidJSONInput("") if value is None and isinstance(field, forms.JSONField) else value
