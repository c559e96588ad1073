"""Owns the pages on which an endpoint is made or changed, and what they ask.

Whether an endpoint may be had is judged by ``webhooks.validate_endpoint``. Must not know how anything is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect

from fsm_lifecycle.admin.section.page import Page
from fsm_lifecycle.admin.section.webhook_rows import PERMISSION, can_store_secrets, endpoint_of, endpoints_of
from fsm_lifecycle.admin.section.webhook_secret import remember
from fsm_lifecycle.registry import lifecycles
from fsm_lifecycle.webhooks.endpoint import WebhookEndpoint
from fsm_lifecycle.webhooks.endpoints import create_endpoint, validate_endpoint
from fsm_lifecycle.webhooks.filters import listed

MINE: Final = "me"
NOBODY: Final = "nobody"
KEPT: Final = "kept"


class EndpointForm(forms.Form):
    """What people say of an endpoint."""

    description = forms.CharField(
        label="Name",
        max_length=255,
        required=False,
        help_text="How people call it, for example “Billing bridge”.",
    )
    url = forms.CharField(
        label="Address",
        max_length=2000,
        widget=forms.URLInput(attrs={"autocomplete": "off", "placeholder": "https://…"}),
        help_text="Messages are sent there by POST. Redirects are not followed.",
    )
    events = forms.CharField(
        label="Events",
        initial="*",
        max_length=5000,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
        help_text="One filter a line. A message is sent where any of them matches.",
    )
    model_label = forms.ChoiceField(label="Records of", required=False)
    object_pk = forms.CharField(
        label="One record alone",
        max_length=255,
        required=False,
        help_text="Its key, or nothing for all records.",
    )
    payload = forms.ChoiceField(
        label="What a message holds",
        choices=[
            (WebhookEndpoint.THIN, "thin: what happened, to which record, when"),
            (WebhookEndpoint.FULL, "full: also the fields that the lifecycle opens (api_fields)"),
        ],
        initial=WebhookEndpoint.THIN,
        widget=forms.RadioSelect,
    )
    owner = forms.ChoiceField(
        label="On behalf of",
        help_text="Only entries of records that this person may see are sent.",
        widget=forms.RadioSelect,
    )

    def __init__(self, *args: Any, by: Any, endpoint: WebhookEndpoint | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        labels = sorted({model._lifecycle.label for model in lifecycles()})
        models: Any = self.fields["model_label"]
        models.choices = [("", "every lifecycle"), *((label, label) for label in labels)]
        if endpoint is not None and endpoint.model_label and endpoint.model_label not in labels:
            models.choices = [*models.choices, (endpoint.model_label, f"{endpoint.model_label} (gone)")]
        owners = [(MINE, f"me, {by}")]
        if endpoint is not None and endpoint.owner_id not in (None, by.pk):
            owners = [(KEPT, f"{endpoint.owner}, as now"), *owners]
        if by.is_superuser:
            owners.append((NOBODY, "nobody: every record is told of"))
        if len(owners) == 1:
            del self.fields["owner"]
            return
        choice: Any = self.fields["owner"]
        choice.choices = owners
        choice.initial = owners[0][0] if endpoint is None or endpoint.owner_id is not None else NOBODY


class EndpointFormPage(Page):
    """Making an endpoint."""

    name = "webhook_add"
    route = "webhooks/add/"
    permission = PERMISSION
    title = "Add endpoint"
    under = "webhooks"
    template_name = "admin/fsm_lifecycle/section/webhook_form.html"

    form: EndpointForm | None = None
    endpoint: WebhookEndpoint | None = None

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form = self.form = EndpointForm(request.POST, by=request.user, endpoint=self.endpoint)
        if form.is_valid():
            try:
                return self._save(request, form.cleaned_data)
            except ValidationError as error:
                _tell(form, error)
        return self.render_to_response(self.get_context_data())

    def _save(self, request: HttpRequest, told: Mapping[str, Any]) -> HttpResponse:
        endpoint = create_endpoint(
            request.user, using=endpoints_of(request.user).db, **_fields(told, request.user, None)
        )
        assert endpoint.new_secret is not None
        remember(request, endpoint, endpoint.new_secret)
        messages.success(request, f"{endpoint} is told of what commits from now on.")
        return HttpResponseRedirect(self.url("webhook", pk=endpoint.pk))

    def _initial(self) -> dict[str, Any]:
        return {}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        form = self.form or EndpointForm(
            initial=self._initial(), by=self.request.user, endpoint=self.endpoint
        )
        return {
            **super().get_context_data(**kwargs),
            "form": form,
            "endpoint": self.endpoint,
            "can_store": can_store_secrets() or self.endpoint is not None,
            "example": _example(),
            "back": self.url("webhook", pk=self.endpoint.pk) if self.endpoint else self.url("webhooks"),
        }


class EndpointEditPage(EndpointFormPage):
    """Changing an endpoint."""

    name = "webhook_edit"
    route = "webhooks/<int:pk>/edit/"
    title = "Change endpoint"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if self.allows(request.user):
            self.endpoint = endpoint_of(request.user, kwargs["pk"])
            if self.endpoint is None:
                raise Http404("There is no such endpoint, or it is somebody else’s.")
        return super().dispatch(request, *args, **kwargs)

    def _save(self, request: HttpRequest, told: Mapping[str, Any]) -> HttpResponse:
        endpoint = self.endpoint
        assert endpoint is not None
        fields = _fields(told, request.user, endpoint)
        for name, value in fields.items():
            setattr(endpoint, name, value)
        validate_endpoint(endpoint, request.user)
        endpoint.save(update_fields=list(fields))
        messages.success(request, f"{endpoint} is changed. What waits is sent to it as it is now.")
        return HttpResponseRedirect(self.url("webhook", pk=endpoint.pk))

    def _initial(self) -> dict[str, Any]:
        endpoint = self.endpoint
        assert endpoint is not None
        names = ("description", "url", "model_label", "object_pk", "payload")
        values = {name: getattr(endpoint, name) for name in names}
        return {**values, "events": "\n".join(listed(endpoint.events))}

    def trail(self) -> list[tuple[str, str]]:
        above = super().trail()
        assert self.endpoint is not None
        return [*above, (str(self.endpoint), self.url("webhook", pk=self.endpoint.pk))]


def _example() -> tuple[str, str]:
    """A lifecycle and one of its events, to explain filters with."""
    for model in lifecycles():
        for name in model._lifecycle.table.events:
            return model._lifecycle.label, name
    return "billing.invoice", "pay"


def _fields(told: Mapping[str, Any], by: Any, endpoint: WebhookEndpoint | None) -> dict[str, Any]:
    """What the form said, as the model has it."""
    owner = told.get("owner", MINE)
    fields = {
        "description": told["description"],
        "url": told["url"].strip(),
        "events": listed(told["events"]),
        "model_label": told["model_label"],
        "object_pk": told["object_pk"].strip(),
        "payload": told["payload"],
    }
    if owner == KEPT and endpoint is not None:
        fields["owner"] = endpoint.owner
    else:
        fields["owner"] = None if owner == NOBODY else by
    return fields


def _tell(form: EndpointForm, error: ValidationError) -> None:
    """Errors by field beside their fields, others above all."""
    for name, found in error.message_dict.items():
        form.add_error(name if name in form.fields else None, found)
