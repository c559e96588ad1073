"""Owns the page on which a legal hold is placed. Must not know what a hold refuses."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from fsm_lifecycle.admin.section.granting import record_by_key
from fsm_lifecycle.admin.section.page import Page
from fsm_lifecycle.admin.section.retention import PURGE
from fsm_lifecycle.engine.legal_hold import place_hold
from fsm_lifecycle.engine.visible_log import owners
from fsm_lifecycle.exceptions import LifecycleError


class HoldForm(forms.Form):
    """Which record, and why."""

    model = forms.ChoiceField(label="Lifecycle")
    record = forms.CharField(
        label="Record", max_length=255, help_text="Its key, as in the address of its page."
    )
    reason = forms.CharField(
        label="Reason",
        max_length=500,
        help_text="Read by whoever wants to purge it, and kept.",
        error_messages={"required": "Say why the record has to stay."},
    )

    def __init__(self, *args: Any, user: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        self.models = {model._meta.label_lower: model for model in owners()}
        names = [(label, str(m._meta.verbose_name).capitalize()) for label, m in self.models.items()]
        self.fields["model"].choices = names  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if cleaned.get("model") and cleaned.get("record"):
            model = self.models[cleaned["model"]]
            cleaned["held"] = record_by_key(model, cleaned["record"], self.user)
            if cleaned["held"] is None:
                kind = model._meta.verbose_name
                raise ValidationError({"record": f"There is no {kind} {cleaned['record']} that you may see."})
        return cleaned


class HoldPage(Page):
    """Placing a legal hold."""

    name = "hold"
    route = "retention/hold/"
    permission = PURGE
    title = "Place a legal hold"
    under = "retention"
    template_name = "admin/fsm_lifecycle/section/hold.html"
    form: HoldForm | None = None

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form = self.form = HoldForm(request.POST, user=request.user)
        if form.is_valid():
            record = form.cleaned_data["held"]
            try:
                place_hold(record, reason=form.cleaned_data["reason"], by=request.user)
            except LifecycleError as error:
                form.add_error(None, str(error))
            else:
                name = f"{record._meta.verbose_name} {record.pk}"
                messages.success(
                    request,
                    f"A hold is on {name}. It is neither purged nor deleted until the hold is released.",
                )
                return HttpResponseRedirect(self.url("retention"))
        return self.render_to_response(self.get_context_data())

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        form = self.form or HoldForm(user=self.request.user)
        return {
            **super().get_context_data(**kwargs),
            "form": form,
            "retention_url": self.url("retention"),
        }
