"""Billing in the admin. States, events and histories come with `LifecycleAdmin`."""

from django.contrib import admin

from fsm_lifecycle.admin import LifecycleAdmin
from sample_project.billing.models import Contract, ExpenseReport, Invoice


@admin.register(Contract)
class ContractAdmin(LifecycleAdmin):
    list_display = ["__str__", "state", "starts_on"]
    list_filter = ["state"]
    search_fields = ["client_name"]


@admin.register(Invoice)
class InvoiceAdmin(LifecycleAdmin):
    list_display = ["number", "state", "client_name", "amount", "due_on", "paid_on"]
    list_filter = ["state"]
    list_select_related = ["contract"]
    search_fields = ["number", "client_name"]
    readonly_fields = ["paid_on", "created_by"]


@admin.register(ExpenseReport)
class ExpenseReportAdmin(LifecycleAdmin):
    list_display = ["purpose", "state", "amount", "created_by"]
    list_filter = ["state"]
    search_fields = ["purpose"]
    readonly_fields = ["created_by"]
