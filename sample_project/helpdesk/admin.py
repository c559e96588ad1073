"""Tickets in the admin. Their state, events and history come with `LifecycleAdmin`."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from fsm_lifecycle.admin import LifecycleAdmin
from sample_project.helpdesk.models import Ticket


@admin.register(Ticket)
class TicketAdmin(LifecycleAdmin):
    list_display = ["number", "state", "customer", "assignee", "opened_at"]
    list_filter = ["state", "seriousness", "service_level", "workgroup"]
    list_select_related = ["assignee"]
    search_fields = ["=number", "customer", "product"]
    date_hierarchy = "opened_at"
    readonly_fields = ["assignee", "has_anomaly", "seriousness"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        shown = super().get_readonly_fields(request, obj)
        # Which request it was, and when it came, is typed in once.
        return shown if obj is None else [*shown, "number", "opened_at"]
