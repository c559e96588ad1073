"""Owns the page of settings and health: what is in force and how the installation stands. Changes nothing.

Must not know what may be shown of a setting.
"""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from fsm_lifecycle import conf
from fsm_lifecycle.admin.section.choosing import home
from fsm_lifecycle.admin.section.guarding import folder_state, keeping
from fsm_lifecycle.admin.section.health import (
    background,
    databases,
    findings,
    models,
    order,
    providers,
    versions,
)
from fsm_lifecycle.admin.section.in_force import settings_in_force, unknown_keys
from fsm_lifecycle.admin.section.links import allowed_url
from fsm_lifecycle.admin.section.page import Page
from fsm_lifecycle.dispatch.waking import MODES
from fsm_lifecycle.ledger.census import MOST


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
            "keeping": keeping(home()),
            "folder": folder_state(),
            "background": list(background()),
            "mode": conf.dispatch() if conf.dispatch() in MODES else "not usable",
            "encrypts": bool(conf.configured().get("ENCRYPTION_KEYS")),
            "work_url": allowed_url(self, "work"),
            "findings": findings(),
            "order": order(),
            "providers": providers(),
            "models": models(),
            "versions": versions(),
        }
