"""Tickets in Django's own admin. The state is shown, never edited: only an event changes it."""

from django.contrib import admin

from sample_project.helpdesk.models import Ticket
from sample_project.record_admin import RecordAdmin


@admin.register(Ticket)
class TicketAdmin(RecordAdmin):
    list_display = ["number", "state", "seriousness", "customer", "product", "assignee", "opened_at"]
    list_filter = ["state", "seriousness", "service_level", "workgroup"]
    list_select_related = ["assignee"]
    search_fields = ["=number", "customer", "product"]
    date_hierarchy = "opened_at"
    readonly_fields = ["state", "state_since", "assignee", "has_anomaly"]
