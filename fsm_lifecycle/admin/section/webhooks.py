"""Owns the page of webhooks: the endpoints with how they are doing, and the newest deliveries. Changes nothing.

Must not know how anything is sent.
"""

from __future__ import annotations

from typing import Any, Final

from django.db import router
from django.db.models import Q

from fsm_lifecycle.admin.section.keyset import slice_of
from fsm_lifecycle.admin.section.page import Page
from fsm_lifecycle.admin.section.webhook_rows import (
    PERMISSION,
    STATUSES,
    can_store_secrets,
    deliveries_of,
    delivery_rows,
    endpoint_rows,
    endpoints_of,
)
from fsm_lifecycle.webhooks.delivery import WebhookDelivery
from fsm_lifecycle.webhooks.endpoint import WebhookEndpoint

#: How many endpoints and deliveries a page has.
ENDPOINTS: Final = 20
DELIVERIES: Final = 20
#: Up to which number the tab counts.
COUNTED: Final = 99


class WebhooksPage(Page):
    """Who is told, and whether it arrives."""

    name = "webhooks"
    route = "webhooks/"
    permission = PERMISSION
    title = "Webhooks"
    tab = "Webhooks"
    template_name = "admin/fsm_lifecycle/section/webhooks.html"
    http_method_names = ["get", "head", "options"]

    @classmethod
    def attention(cls) -> str:
        """How many endpoints rest or were switched off by themselves."""
        rows = WebhookEndpoint.objects.using(router.db_for_write(WebhookEndpoint))
        ill = rows.filter(Q(paused_until__isnull=False) | ~Q(disabled_reason=""))
        number = ill[: COUNTED + 1].count()
        return f"{COUNTED}+" if number > COUNTED else str(number or "")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        user, params = self.request.user, self.request.GET
        endpoints = endpoints_of(user)
        page = slice_of(endpoints.select_related("owner"), params, time="", size=ENDPOINTS, prefix="e_")
        rows = endpoint_rows(self, page.rows)
        status = params.get("status", "")
        deliveries = deliveries_of(endpoints, endpoints.db).select_related("endpoint")
        if status in STATUSES:
            deliveries = deliveries.filter(status=status)
        made = slice_of(deliveries, params, time="", size=DELIVERIES)
        return {
            **super().get_context_data(**kwargs),
            "endpoint_slice": page,
            "endpoints": rows,
            "ill": [one for one in rows if one["health"].state in ("paused", "disabled")],
            "slice": made,
            "deliveries": delivery_rows(self, made.rows, user),
            "status": status if status in STATUSES else "",
            "statuses": [(name, word) for name, (_, word) in STATUSES.items()],
            "all_of_them": user.is_superuser,
            "add_url": self.url("webhook_add"),
            "can_store": can_store_secrets(),
            "dead": WebhookDelivery.DEAD,
        }
