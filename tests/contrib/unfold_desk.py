"""Owns the admin of the project in `unfold_settings`: unfold's default site, with two models on it."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import path
from unfold.decorators import action

from fsm_lifecycle.contrib.unfold import LifecycleAdmin
from tests.testapp.models import Invoice
from tests.testapp.offices import Claim


@admin.register(Invoice)
class InvoiceAdmin(LifecycleAdmin):
    list_display = ["__str__", "client_name", "state"]
    list_filter = ["state"]
    fields = ["client_name", "amount"]


@admin.register(Claim)
class ClaimAdmin(LifecycleAdmin):
    actions_detail = ["print_out"]

    @action(description="Print out", permissions=["change"])  # type: ignore[untyped-decorator]
    def print_out(self, request: HttpRequest, object_id: Any) -> HttpResponse:
        return HttpResponse(f"printed {object_id}")


urlpatterns = [path("admin/", admin.site.urls)]
