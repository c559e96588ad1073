"""Owns the page on which somebody lets one user act for another. Must not evaluate who may: ``access`` does."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth import get_user_model
from django.db import router
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.http import urlencode

from fsm_lifecycle.access import delegate
from fsm_lifecycle.access.codenames import codes_of, lifecycle_models
from fsm_lifecycle.admin.section.granting import DelegationForm
from fsm_lifecycle.admin.section.page import Page
from fsm_lifecycle.admin.section.search import name_of
from fsm_lifecycle.exceptions import LifecycleError


class DelegatePage(Page):
    """Who acts for whom, until when."""

    name = "delegate"
    route = "roles/delegate/"
    permission = "fsm_lifecycle.grant_roles"
    title = "Let someone act for another"
    under = "roles"
    template_name = "admin/fsm_lifecycle/section/delegate.html"
    form: DelegationForm | None = None

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form = self.form = self._form(request.POST)
        if request.POST.get("do") != "delegate":
            form.leave_unjudged()
            return self.render_to_response(self.get_context_data())
        if form.is_valid():
            given = form.cleaned_data
            try:
                made = delegate(
                    given["giver"],
                    given["stand_in"],
                    given["role"] or None,
                    given["until"],
                    given["reason"],
                    by=request.user,
                )
            except LifecycleError as error:
                form.add_error(None, str(error))
            else:
                until = date_format(timezone.localtime(made.until), "j M Y, H:i")
                messages.success(
                    request,
                    f"{name_of(given['stand_in'])} acts for {name_of(given['giver'])} until {until}. "
                    f"What is fired like this names both.",
                )
                return HttpResponseRedirect(self._roles_url())
        return self.render_to_response(self.get_context_data())

    def _roles_url(self) -> str:
        on = self.request.GET.get("on", "")
        return f"{self.url('roles')}?{urlencode({'on': on})}" if on else self.url("roles")

    def _form(self, data: Any = None) -> DelegationForm:
        roles = {
            value: str(r.label) for m in lifecycle_models() for value, r in codes_of(m).table.roles.items()
        }
        return DelegationForm(data, using=router.db_for_write(get_user_model()), roles=roles)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        form = self.form or self._form()
        people = []
        for name, label in (("giver", "Whose roles"), ("stand_in", "Who acts with them")):
            offers, more = form.offers(name, groups=False)
            people.append(
                {
                    "name": name,
                    "label": label,
                    "find": form[f"find_{name}"],
                    "errors": form.errors.get(name),
                    "offers": offers,
                    "more": more,
                    "taken": form.data.get(name, "") if form.is_bound else "",
                }
            )
        return {
            **super().get_context_data(**kwargs),
            "form": form,
            "people": people,
            "roles_url": self._roles_url(),
            "time_zone": timezone.get_current_timezone_name(),
        }
