"""The landing page: which apps there are, how much is in them, what of it a visitor may open. And the icon."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.templatetags.static import static
from django.urls import reverse
from django.views.generic import TemplateView

from fsm_lifecycle.models import LifecycleModel
from sample_project.billing.models import Contract, ExpenseReport, Invoice
from sample_project.helpdesk.models import Ticket


@dataclass(frozen=True)
class Kind:
    """One kind of record."""

    number: int
    name: str
    """As many as there are of it: ``ticket`` or ``tickets``."""
    url: str
    """Its list; empty for whom that would be closed."""


class Home(TemplateView):
    """Lists the two apps. The counts show whether `load_helpdesk` has been here."""

    template_name = "sample/home.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            helpdesk=list(_kinds(self.request, Ticket)),
            billing=list(_kinds(self.request, Invoice, Contract, ExpenseReport)),
            **kwargs,
        )


def _kinds(request: HttpRequest, *models: type[LifecycleModel]) -> Iterator[Kind]:
    for model in models:
        number, meta = model._default_manager.count(), model._meta
        name = meta.verbose_name if number == 1 else meta.verbose_name_plural
        list_of_them = f"admin:{meta.app_label}_{meta.model_name}_changelist"
        yield Kind(number, str(name), reverse(list_of_them) if _may_open(request, model) else "")


def _may_open(request: HttpRequest, model: type[LifecycleModel]) -> bool:
    return admin.site.has_permission(request) and admin.site.get_model_admin(model).has_view_permission(
        request
    )


def favicon(request: HttpRequest) -> HttpResponse:
    """Browsers ask here for the icon of what is no page of ours: of JSON, or of Django's own pages."""
    return redirect(static("sample/favicon.svg"))
