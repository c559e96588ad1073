"""The landing page: which apps there are and how much is in them."""

from typing import Any

from django.views.generic import TemplateView

from sample_project.billing.models import Contract, ExpenseReport, Invoice
from sample_project.helpdesk.models import Ticket


class Home(TemplateView):
    """Lists the two apps. The counts show whether `load_helpdesk` has been here."""

    template_name = "sample/home.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            tickets=Ticket.objects.count(),
            invoices=Invoice.objects.count(),
            contracts=Contract.objects.count(),
            expense_reports=ExpenseReport.objects.count(),
            **kwargs,
        )
