"""Owns the page of access events: every grant, revocation, expiry and delegation, newest first.

Must not know what a grant allows.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.db import router

from fsm_lifecycle.access import stores
from fsm_lifecycle.access.event import AccessEvent
from fsm_lifecycle.admin.section.days import by_day
from fsm_lifecycle.admin.section.keyset import slice_of
from fsm_lifecycle.admin.section.meanings import told
from fsm_lifecycle.admin.section.page import Page


class AccessEventsPage(Page):
    """What became of grants."""

    name = "access_events"
    route = "roles/events/"
    permission = "fsm_lifecycle.grant_roles"
    title = "Access events"
    under = "roles"
    template_name = "admin/fsm_lifecycle/section/access_events.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        using = router.db_for_write(get_user_model())
        page = slice_of(stores.all_of(AccessEvent, using), self.request.GET)
        days = by_day(told(page.rows, using))
        return {**super().get_context_data(**kwargs), "slice": page, "days": days}
