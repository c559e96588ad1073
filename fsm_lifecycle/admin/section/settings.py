"""Owns the page of settings and health: what is in force and how the installation stands. Changes nothing.

Must not know what may be shown of a setting.
"""

from __future__ import annotations

from typing import Any

from django.db import router
from django.utils import timezone

from fsm_lifecycle.admin.section.guarding import folder_state, keeping
from fsm_lifecycle.admin.section.health import databases, findings, order, providers, versions
from fsm_lifecycle.admin.section.in_force import settings_in_force, unknown_keys
from fsm_lifecycle.admin.section.page import Page
from fsm_lifecycle.ledger.census import MOST
from fsm_lifecycle.ledger.entry import TransitionLog


class SettingsPage(Page):
    """What is in force."""

    name = "settings"
    route = "settings/"
    permission = "fsm_lifecycle.view_settings"
    title = "Settings and health"
    tab = "Settings"
    template_name = "admin/fsm_lifecycle/section/settings.html"
    http_method_names = ["get", "head", "options"]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        keys = settings_in_force()
        return {
            **super().get_context_data(**kwargs),
            "settings": [one for one in keys if one.means or one.own],
            "to_come": [one for one in keys if not one.means and not one.own],
            "unknown": unknown_keys(),
            "databases": list(databases(timezone.now())),
            "most": MOST,
            "keeping": keeping(router.db_for_read(TransitionLog)),
            "folder": folder_state(),
            "findings": findings(),
            "order": order(),
            "providers": providers(),
            "versions": versions(),
        }
