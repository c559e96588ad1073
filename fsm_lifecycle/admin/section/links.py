"""Owns where records are listed in the admin, and other pages of the section.

Must not know why somebody wants to go there.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from fsm_lifecycle.admin.section.page import Page


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


def allowed_url(page: Page, name: str, **kwargs: Any) -> str:
    """The address of another page of the section, or nothing where there is none or the user may not see it."""
    found = next((one for one in page.pages if one.name == name), None)
    return page.url(name, **kwargs) if found is not None and found.allows(page.request.user) else ""
