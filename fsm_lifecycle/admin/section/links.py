"""Owns where records are listed in the admin. Must not know why somebody wants to go there."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse


def states_link(site: AdminSite, model: Any, request: HttpRequest) -> str:
    """The list of a model's records, by state: the state's value is to be put behind it. Empty where there is none."""
    admin = site._registry.get(model)
    if admin is None or not admin.has_view_or_change_permission(request):
        return ""
    address = list_of_records(site, model)
    return f"{address}?{quote(model._lifecycle.state_name)}=" if address else ""


def list_of_records(site: AdminSite, model: Any) -> str:
    """The list of a model's records; empty where the admin has none."""
    if model not in site._registry:
        return ""
    try:
        return reverse(f"{site.name}:{model._meta.app_label}_{model._meta.model_name}_changelist")
    except NoReverseMatch:
        return ""
