"""Billing in Django's own admin. The state is shown, never edited: only an event changes it."""

from django.contrib import admin

from sample_project.billing.models import Contract, ExpenseReport, Invoice
from sample_project.record_admin import RecordAdmin


@admin.register(Contract)
class ContractAdmin(RecordAdmin):
    list_display = ["__str__", "state", "starts_on"]
    list_filter = ["state"]
    search_fields = ["client_name"]
    readonly_fields = ["state", "state_since"]


@admin.register(Invoice)
class InvoiceAdmin(RecordAdmin):
    list_display = ["number", "state", "client_name", "amount", "due_on", "paid_on"]
    list_filter = ["state"]
    list_select_related = ["contract"]
    search_fields = ["number", "client_name"]
    readonly_fields = ["state", "state_since", "paid_on", "created_by"]


@admin.register(ExpenseReport)
class ExpenseReportAdmin(RecordAdmin):
    list_display = ["purpose", "state", "amount", "created_by"]
    list_filter = ["state"]
    search_fields = ["purpose"]
    readonly_fields = ["state", "state_since", "created_by"]
