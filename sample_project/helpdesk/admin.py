"""Tickets in the admin. Their state, events and history come with `LifecycleAdmin`."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html

from fsm_lifecycle.admin import LifecycleAdmin
from sample_project.helpdesk.models import Ticket


@admin.register(Ticket)
class TicketAdmin(LifecycleAdmin):
    list_display = ["number", "state", "customer", "in_charge", "opened_on"]
    list_filter = ["state", "seriousness", "service_level", "workgroup"]
    list_select_related = ["assignee"]
    search_fields = ["=number", "customer", "product"]
    date_hierarchy = "opened_at"
    readonly_fields = ["assignee", "has_anomaly", "seriousness"]

    @admin.display(description="assignee", ordering="assignee")
    def in_charge(self, ticket: Ticket) -> str:
        """By the full name."""
        who = ticket.assignee
        return who.get_full_name() or who.get_username() if who is not None else "–"

    @admin.display(description="opened", ordering="opened_at")
    def opened_on(self, ticket: Ticket) -> str:
        """The day; the time is on the ticket's page."""
        opened = timezone.localtime(ticket.opened_at)
        day, exact = date_format(opened, "j M Y"), date_format(opened, "j M Y, H:i")
        return format_html('<time datetime="{}" title="{}">{}</time>', opened.isoformat(), exact, day)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        shown = super().get_readonly_fields(request, obj)
        # Which request it was, and when it came, is typed in once.
        return shown if obj is None else [*shown, "number", "opened_at"]
