"""Owns what a model's own admin offers of other records: in its forms and filters, those that the user may read.

Must not know the model.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.admin.filters import RelatedFieldListFilter
from django.contrib.admin.options import ModelAdmin
from django.contrib.admin.utils import NotRelationField, get_fields_from_path, get_model_from_relation
from django.contrib.admin.widgets import ForeignKeyRawIdWidget
from django.core.exceptions import FieldDoesNotExist
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from fsm_lifecycle.access.visibility import visible
from fsm_lifecycle.presentation.offering import offer_readable


def narrowed(form: type[Any], user: Any) -> type[Any]:
    """The form's class, offering what the user may read."""

    def begin(self: Any, *args: Any, **kwargs: Any) -> None:
        super(kind, self).__init__(*args, **kwargs)
        offer_readable(self, user)
        for field in self.fields.values():
            if isinstance(field.widget, ForeignKeyRawIdWidget):
                _name_what_is_offered(field)

    kind: type[Any] = type(form.__name__, (form,), {"__init__": begin, "__module__": form.__module__})
    return kind


def _name_what_is_offered(field: forms.Field) -> None:
    """A typed key is followed by its record's name: only where the field would take that record."""
    widget: Any = field.widget
    described = widget.label_and_url_for_value

    def described_if_offered(value: Any) -> Any:
        found = described(value)
        key = widget.rel.get_related_field().name
        offered: Any = getattr(field, "queryset", None)
        return found if not found[0] or offered.filter(**{key: value}).exists() else ("", "")

    widget.label_and_url_for_value = described_if_offered


def readable_filter(model: type[Model], item: Any) -> Any:
    """An item of ``list_filter``; by a relation to a model with a lifecycle, with the records that may be read."""
    name, kind = item if isinstance(item, list | tuple) else (item, RelatedFieldListFilter)
    if not isinstance(name, str) or not issubclass(kind, RelatedFieldListFilter):
        return item
    try:
        related: Any = get_model_from_relation(get_fields_from_path(model, name)[-1])
    except (FieldDoesNotExist, NotRelationField):
        return item
    if not hasattr(related, "_lifecycle"):
        return item
    return name, type(f"Readable{kind.__name__}", (_Readable, kind), {})


class _Readable(RelatedFieldListFilter):
    """Leaves out the records that the user may not read."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: ModelAdmin[Any]) -> Any:
        records: QuerySet[Any] = QuerySet(get_model_from_relation(field))
        key = field.target_field.attname
        readable = set(visible(records, request.user).order_by().values_list(key, flat=True))
        return [one for one in super().field_choices(field, request, model_admin) if one[0] in readable]
