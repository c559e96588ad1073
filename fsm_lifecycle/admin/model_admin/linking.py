"""Owns how a field that is only shown names another record: as a link for whom that opens, else as text.

Django links every record whose model has an admin, also for whom that answers 403. Must not know the model.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.admin.helpers import AdminForm, Fieldline, Fieldset
from django.contrib.admin.utils import quote
from django.db.models import Model
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html

from fsm_lifecycle.admin.section.search import name_of


class LinkingForm(AdminForm):
    """Django's form of a record's page, as one person may follow its links."""

    def __init__(self, form: AdminForm, request: HttpRequest) -> None:
        vars(self).update(vars(form))
        self.request = request

    def __iter__(self) -> Iterator[Fieldset]:
        for name, options in self.fieldsets:
            given: Any = {"model_admin": self.model_admin, "readonly_fields": self.readonly_fields, **options}
            yield _Fieldset(self.form, name, **given).read_by(self.request)


class _Fieldset(Fieldset):
    def read_by(self, request: HttpRequest) -> Fieldset:
        self.request = request
        return self

    def __iter__(self) -> Iterator[Fieldline]:
        for line in super().__iter__():
            yield _Line(line.form, line.fields, line.readonly_fields, line.model_admin).read_by(self.request)


class _Line(Fieldline):
    def read_by(self, request: HttpRequest) -> Fieldline:
        self.request = request
        return self

    def __iter__(self) -> Iterator[Any]:
        for field in super().__iter__():
            if field.is_readonly:
                field.get_admin_url = self._named  # type: ignore[method-assign, union-attr]
            yield field

    def _named(self, relation: Any, record: Model) -> str:
        admin: Any = self.model_admin
        url = url_of_other(admin.admin_site, relation.model, record, self.request)
        return format_html('<a href="{}">{}</a>', url, name_of(record)) if url else name_of(record)


def url_of_other(site: AdminSite, model: type[Model], record: Model, request: HttpRequest) -> str:
    """The page of another record; empty where this site has none, or not for this person."""
    if not site.is_registered(model) or not site.get_model_admin(model).has_view_permission(request, record):
        return ""
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}_change"
    try:
        return reverse(name, args=[quote(record.pk)], current_app=site.name)
    except NoReverseMatch:
        return ""
