"""Owns which records a form offers for a relation: of a model with a lifecycle, those that its user may read.

Must not know whose form it is.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import FieldDoesNotExist
from django.db.models import ForeignKey, ManyToManyField, Model, Q, QuerySet

from fsm_lifecycle.access import policy
from fsm_lifecycle.access.visibility import visible
from fsm_lifecycle.definition import CRUD


def offer_readable(form: forms.BaseForm, user: Any) -> None:
    """Narrow what a form offers, and takes, to what the user may read. What its record has already stays on offer."""
    for name, field in form.fields.items():
        offered: QuerySet[Any] | None = getattr(field, "queryset", None)
        if offered is None or not hasattr(offered.model, "_lifecycle"):
            continue
        if policy.rights(user, offered.model).allows(CRUD.READ):
            continue
        records: QuerySet[Any] = QuerySet(offered.model, using=offered.db)
        readable = Q(pk__in=visible(records, user).order_by().values("pk"))
        present = _present(getattr(form, "instance", None), name, offered.model)
        field.queryset = offered.filter(readable | present)  # type: ignore[attr-defined]


def _present(record: Model | None, name: str, model: type[Model]) -> Q:
    """What a record has in a relation to ``model``."""
    nothing = Q(pk__in=[])
    if record is None:
        return nothing
    try:
        relation = record._meta.get_field(name)
    except FieldDoesNotExist:
        return nothing
    if not isinstance(relation, ForeignKey | ManyToManyField):
        return nothing
    related: Any = relation.related_model
    if related._meta.concrete_model is not model._meta.concrete_model:
        return nothing
    value: Any = relation.value_from_object(record)
    if isinstance(relation, ManyToManyField):
        return Q(pk__in=[one.pk for one in value])
    return Q(**{relation.target_field.attname: value})
