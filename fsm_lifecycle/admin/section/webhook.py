"""Owns the page of one endpoint: how it is doing, what can be done with it, its deliveries. A secret is shown once.

Must not know how anything is sent.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone

from fsm_lifecycle.admin.section.keyset import slice_of
from fsm_lifecycle.admin.section.page import Page
from fsm_lifecycle.admin.section.webhook_rows import (
    PERMISSION,
    STATUSES,
    delivery_rows,
    endpoint_of,
    endpoint_row,
)
from fsm_lifecycle.admin.section.webhook_secret import remember, taken
from fsm_lifecycle.exceptions import LifecycleError
from fsm_lifecycle.presentation.going import Going
from fsm_lifecycle.webhooks import resend_errand
from fsm_lifecycle.webhooks.condition import health
from fsm_lifecycle.webhooks.delivery import WebhookDelivery
from fsm_lifecycle.webhooks.endpoint import WebhookEndpoint
from fsm_lifecycle.webhooks.endpoints import rotate_secret
from fsm_lifecycle.webhooks.resending import send_test
from fsm_lifecycle.webhooks.switching import reopen

#: How many deliveries a page has.
SIZE: Final = 25
#: How long a person's pause lasts.
PAUSE: Final = timedelta(hours=1)
#: What asks before it is done, with its words.
CONFIRMED: Final = {
    "rotate": (
        "Make a new secret?",
        (
            "Messages are then signed with both for 24 hours, so the receiver can change over without losing one. "
            "The new secret is shown once, on the next page."
        ),
        "Make a new secret",
        "Keep the secret",
    ),
    "off": (
        "Switch it off?",
        (
            "What waits is given up and shows as dead. Nothing is sent until it is switched on again; what commits "
            "meanwhile is sent only when you ask for it."
        ),
        "Switch off",
        "Leave it on",
    ),
    "remove": (
        "Remove this endpoint?",
        "It goes with its secret, its deliveries and their attempts. That cannot be called back.",
        "Remove endpoint",
        "Keep it",
    ),
}


class SinceForm(forms.Form):
    """From when on everything is sent again."""

    since = forms.DateTimeField(
        label="Everything since",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M"],
    )

    def clean_since(self) -> Any:
        since = self.cleaned_data["since"]
        if since > timezone.now():
            raise forms.ValidationError("This moment is yet to come.")
        return since


class EndpointPage(Page):
    """One endpoint."""

    name = "webhook"
    route = "webhooks/<int:pk>/"
    permission = PERMISSION
    title = "Endpoint"
    under = "webhooks"
    template_name = "admin/fsm_lifecycle/section/webhook.html"
    form: SinceForm | None = None

    endpoint: WebhookEndpoint

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if self.allows(request.user):
            found = endpoint_of(request.user, kwargs["pk"])
            if found is None:
                raise Http404("There is no such endpoint, or it is somebody else’s.")
            self.endpoint = found
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        answer = super().get(request, *args, **kwargs)
        answer["Cache-Control"] = "no-store, private"  # it may hold a secret
        return answer

    # --- buttons --------------------------------------------------------------------------------------------

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        what = request.POST.get("what", "")
        act = {
            "test": self._test,
            "rotate": self._rotate,
            "off": self._off,
            "on": self._on,
            "pause": self._pause,
            "reopen": self._reopen,
        }.get(what)
        if what == "remove":
            name = str(self.endpoint)
            self.endpoint.delete()
            messages.success(request, f"{name} is removed, with its secret and its deliveries.")
            return HttpResponseRedirect(self.url("webhooks"))
        if what == "since":
            form = self.form = SinceForm(request.POST)
            if not form.is_valid():
                return self.render_to_response(self.get_context_data())
            self._since(form.cleaned_data["since"])
        elif act is not None:
            try:
                act()
            except LifecycleError as error:
                messages.error(request, f"{error} Nothing was changed.")
        return HttpResponseRedirect(self.url("webhook", pk=self.endpoint.pk))

    def _test(self) -> None:
        delivery = send_test(self.endpoint)
        messages.success(
            self.request,
            f"A test message is on its way ({delivery.message_id}). What comes back stands below.",
        )

    def _rotate(self) -> None:
        remember(self.request, self.endpoint, rotate_secret(self.endpoint))
        messages.success(self.request, "There is a new secret. The old one stays valid for 24 hours.")

    def _off(self) -> None:
        self.endpoint.active = False
        self.endpoint.save(update_fields=["active"])
        messages.success(self.request, f"{self.endpoint} is switched off. What waited is given up.")

    def _on(self) -> None:
        self.endpoint.active = True
        self.endpoint.save(update_fields=["active"])
        messages.success(self.request, f"{self.endpoint} is told of what commits from now on.")

    def _pause(self) -> None:
        rows: QuerySet[Any] = QuerySet(WebhookEndpoint, using=self.endpoint._state.db)
        active = rows.filter(pk=self.endpoint.pk, active=True, paused_until=None)
        if active.update(paused_until=timezone.now() + PAUSE):
            messages.success(
                self.request, f"{self.endpoint} is paused for an hour. What waits uses up no tries meanwhile."
            )
        else:
            messages.info(self.request, "It is paused or off already. Nothing was changed.")

    def _reopen(self) -> None:
        if self.endpoint.is_paused:
            reopen(self.endpoint)
            messages.success(
                self.request, f"{self.endpoint} is open again. What waits is sent as its time comes."
            )
        else:
            messages.info(self.request, "It is not paused. Nothing was changed.")

    def _since(self, since: Any) -> None:
        if not self.endpoint.active:
            messages.error(self.request, "The endpoint is off. Switch it on first. Nothing was changed.")
        elif resend_errand.order(self.endpoint, since, user=self.request.user) is None:
            messages.info(self.request, "Messages are being gathered already. Wait until that is done.")

    # --- the page ---------------------------------------------------------------------------------------------

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        endpoint, params = self.endpoint, self.request.GET
        status = params.get("status", "")
        rows: QuerySet[WebhookDelivery] = QuerySet(WebhookDelivery, using=endpoint._state.db)
        rows = rows.filter(endpoint=endpoint).select_related("endpoint")
        if status in STATUSES:
            rows = rows.filter(status=status)
        made = slice_of(rows, params, time="", size=SIZE)
        errand = resend_errand.newest(endpoint)
        ask = params.get("ask", "")
        return {
            **super().get_context_data(**kwargs),
            "title": str(endpoint),
            "row": endpoint_row(self, endpoint, health([endpoint])[endpoint.pk]),
            "endpoint": endpoint,
            "secret": taken(self.request, endpoint) if self.request.method == "GET" else "",
            "overlap": endpoint.old_secret_until
            if endpoint.old_secret_until and endpoint.old_secret_until > timezone.now()
            else None,
            "slice": made,
            "deliveries": delivery_rows(self, made.rows, self.request.user),
            "status": status if status in STATUSES else "",
            "statuses": [(name, word) for name, (_, word) in STATUSES.items()],
            "ask": ask if ask in CONFIRMED else "",
            "asking": CONFIRMED.get(ask),
            "form": self.form or SinceForm(),
            "errand": errand,
            "going": Going.of(errand, "entries") if errand is not None and not errand.is_over else None,
            "edit_url": self.url("webhook_edit", pk=endpoint.pk),
        }
