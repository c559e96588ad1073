"""Owns pages written by hand, as a project would that does not use the generator: invoices of the sample's billing."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.urls import include, path

from fsm_lifecycle.pages import (
    LifecycleCreateView,
    LifecycleDeleteView,
    LifecycleDetailView,
    LifecycleFireView,
    LifecycleForm,
    LifecycleListView,
    LifecycleUpdateView,
)
from sample_project.billing.models import Contract, Invoice


class InvoiceForm(LifecycleForm):
    class Meta:
        model = Invoice
        # What no client may write is named as well, as a careless author would.
        fields: Any = "__all__"


class InvoiceList(LifecycleListView):
    model = Invoice
    columns = ["client_name", "amount", "due_on", "contract"]
    page_size = 3


class InvoiceDetail(LifecycleDetailView):
    model = Invoice
    shown_fields = ["number", "client_name", "amount", "due_on"]
    history_length = 3


class InvoiceCreate(LifecycleCreateView):
    model = Invoice
    form_class = InvoiceForm


class InvoiceUpdate(LifecycleUpdateView):
    model = Invoice
    fields = ["client_name", "due_on", "created_by"]


class InvoiceDelete(LifecycleDeleteView):
    model = Invoice


class InvoiceFire(LifecycleFireView):
    model = Invoice


class ContractList(LifecycleListView):
    model = Contract
    url_prefix = "contract_"


class ContractDelete(LifecycleDeleteView):
    model = Contract
    url_prefix = "contract_"


invoices = (
    [
        path("", InvoiceList.as_view(), name="list"),
        path("new/", InvoiceCreate.as_view(), name="create"),
        path("contracts/", ContractList.as_view(), name="contract_list"),
        path("contracts/<int:pk>/delete/", ContractDelete.as_view(), name="contract_delete"),
        path("<str:pk>/", InvoiceDetail.as_view(), name="detail"),
        path("<int:pk>/edit/", InvoiceUpdate.as_view(), name="update"),
        path("<int:pk>/delete/", InvoiceDelete.as_view(), name="delete"),
        path("<int:pk>/event/<str:event>/", InvoiceFire.as_view(), name="fire"),
    ],
    "invoices",
)
urlpatterns = [path("admin/", admin.site.urls), path("invoices/", include(invoices))]
