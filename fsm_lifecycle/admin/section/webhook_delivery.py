"""Owns the page of one delivery: what it tells of, every try, what the receiver said, and sending it again.

Must not know how anything is sent.
"""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect

from fsm_lifecycle.admin.section.links import allowed_url
from fsm_lifecycle.admin.section.page import Page
from fsm_lifecycle.admin.section.seen import Seen
from fsm_lifecycle.admin.section.webhook_rows import PERMISSION, attempt_rows, delivery_rows, endpoint_of
from fsm_lifecycle.exceptions import LifecycleError
from fsm_lifecycle.ledger.entry import TransitionLog
from fsm_lifecycle.webhooks.delivery import WebhookAttempt, WebhookDelivery
from fsm_lifecycle.webhooks.endpoint import WebhookEndpoint
from fsm_lifecycle.webhooks.resending import resend

_LARGEST = 2**63


class DeliveryPage(Page):
    """One message to one endpoint."""

    name = "webhook_delivery"
    route = "webhooks/<int:endpoint>/deliveries/<int:pk>/"
    permission = PERMISSION
    title = "Delivery"
    under = "webhooks"
    template_name = "admin/fsm_lifecycle/section/webhook_delivery.html"

    endpoint: WebhookEndpoint
    delivery: WebhookDelivery

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if self.allows(request.user):
            endpoint = endpoint_of(request.user, kwargs["endpoint"])
            found = None
            if endpoint is not None and kwargs["pk"] < _LARGEST:
                rows: QuerySet[WebhookDelivery] = QuerySet(WebhookDelivery, using=endpoint._state.db)
                found = rows.select_related("endpoint").filter(endpoint=endpoint, pk=kwargs["pk"]).first()
            if endpoint is None or found is None:
                raise Http404("There is no such delivery, or it is no longer kept.")
            self.endpoint, self.delivery = endpoint, found
        return super().dispatch(request, *args, **kwargs)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.POST.get("what") == "again":
            try:
                resend(self.delivery)
            except LifecycleError as error:
                messages.error(request, f"{error} Nothing was changed.")
            else:
                messages.success(request, "It is sent again, with all its tries and under the same id.")
        return HttpResponseRedirect(
            self.url("webhook_delivery", endpoint=self.endpoint.pk, pk=self.delivery.pk)
        )

    def trail(self) -> list[tuple[str, str]]:
        return [*super().trail(), (str(self.endpoint), self.url("webhook", pk=self.endpoint.pk))]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        delivery = self.delivery
        attempts: QuerySet[WebhookAttempt] = QuerySet(WebhookAttempt, using=delivery._state.db)
        return {
            **super().get_context_data(**kwargs),
            "title": f"Delivery {delivery.pk}",
            "row": delivery_rows(self, [delivery], self.request.user)[0],
            "delivery": delivery,
            "endpoint": self.endpoint,
            "attempts": attempt_rows(attempts.filter(delivery=delivery).order_by("-id")[:50]),
            "entry_url": self._entry_url(),
        }

    def _entry_url(self) -> str:
        """The entry it tells of, where this user may look at it."""
        if not self.delivery.entry_hash:
            return ""
        entries = TransitionLog.objects.using(self.delivery._state.db)
        rows = Seen(self.request.user).rows(entries.filter(entry_hash=self.delivery.entry_hash))
        found = rows.values_list("pk", flat=True).first()
        return allowed_url(self, "entry", pk=found) if found is not None else ""
