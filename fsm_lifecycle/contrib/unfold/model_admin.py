"""Owns ``LifecycleAdmin`` on unfold's ``ModelAdmin``. Must not know how its pages look."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.admin.utils import unquote
from django.db.models import Model
from django.http import HttpRequest

from fsm_lifecycle import admin
from fsm_lifecycle.admin.model_admin.lifecycle_admin import STYLES

try:
    from unfold.admin import ModelAdmin
except ModuleNotFoundError as error:
    if error.name != "unfold":
        raise
    raise ImportError("fsm_lifecycle.contrib.unfold needs unfold. Run: pip install django-unfold") from error


class LifecycleAdmin(admin.LifecycleAdmin, ModelAdmin):  # type: ignore[misc]  # unfold has no types
    """``fsm_lifecycle.admin.LifecycleAdmin`` with unfold's lists, fields, filters and actions."""

    @property
    def media(self) -> forms.Media:
        # All three are named, so that the order in which they are merged stays this one.
        styles = forms.Media(css={"all": [*STYLES, "fsm_lifecycle/unfold.css"]})
        merged: forms.Media = super().media + styles
        return merged

    def _may(self, request: HttpRequest, action: str, record: Any) -> bool:
        # Before it offers an action of its own, unfold asks with the key where Django asks with the record.
        if record is not None and not isinstance(record, Model):
            record = self.get_object(request, unquote(str(record)))
            if record is None:
                return False
        return super()._may(request, action, record)
