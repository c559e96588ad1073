"""Tickets in the admin. Their state, events and history come with `LifecycleAdmin`."""

from django.contrib import admin

from fsm_lifecycle.admin import LifecycleAdmin
from sample_project.helpdesk.models import Ticket


@admin.register(Ticket)
class TicketAdmin(LifecycleAdmin):
    list_display = ["number", "state", "seriousness", "customer", "assignee", "opened_at"]
    list_filter = ["state", "seriousness", "service_level", "workgroup"]
    list_select_related = ["assignee"]
    search_fields = ["=number", "customer", "product"]
    date_hierarchy = "opened_at"
    readonly_fields = ["assignee", "has_anomaly", "seriousness"]
