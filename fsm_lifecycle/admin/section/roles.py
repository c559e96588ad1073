"""Owns the page of roles: who holds what on a lifecycle, granting and revoking, and who acts for whom.

Must not evaluate who may grant, nor know how grants are stored: both are asked of ``access``.
"""

from __future__ import annotations

from typing import Any, Final

from django.contrib import messages
from django.contrib.auth import get_user_model
from django.db import router
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.http import urlencode

from fsm_lifecycle.access import grant_role, revoke_delegation, revoke_role, stores
from fsm_lifecycle.access.delegation import Delegation
from fsm_lifecycle.access.event import AccessEvent
from fsm_lifecycle.admin.model_admin.linking import url_of_other
from fsm_lifecycle.admin.section.direct import direct
from fsm_lifecycle.admin.section.granting import GrantForm, record_by_key, whom_to_ask
from fsm_lifecycle.admin.section.holders import Holders, Holding
from fsm_lifecycle.admin.section.keyset import slice_of
from fsm_lifecycle.admin.section.meanings import by_whom, means, names_in, role_label, told
from fsm_lifecycle.admin.section.page import Page
from fsm_lifecycle.admin.section.search import name_of
from fsm_lifecycle.admin.section.seen import Seen, label_of, url_of_record
from fsm_lifecycle.exceptions import AccessDenied, LifecycleError
from fsm_lifecycle.registry import lifecycles

#: How many access events the page shows, and among how many of the newest they are looked for.
LATEST: Final = 5
LOOKED_AT: Final = 200


class RolesPage(Page):
    """Who holds what."""

    name = "roles"
    route = "roles/"
    permission = "fsm_lifecycle.grant_roles"
    title = "Roles"
    tab = "Roles"
    template_name = "admin/fsm_lifecycle/section/roles.html"
    form: GrantForm | None = None

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        self.using = router.db_for_write(get_user_model())
        self.models = lifecycles()
        asked = request.GET.get("on", "")
        with_roles = [model for model in self.models if model._lifecycle.table.roles]
        first = next(iter(with_roles or self.models), None)
        self.model = next((m for m in self.models if m._meta.label_lower == asked), first)
        self.holders = Holders(self.model, self.using) if self.model is not None else None

    # Changing

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        do = {"grant": self._grant, "find": self._find, "revoke": self._revoke, "end": self._end}
        work = do.get(request.POST.get("do", ""))
        if work is None or self.holders is None:
            return self._back()
        return work(request, self.holders)

    def _find(self, request: HttpRequest, holders: Holders) -> HttpResponse:
        """Nothing is judged yet, and what was typed stays."""
        self.form = self._form(request.POST)
        self.form.leave_unjudged()
        return self.render_to_response(self.get_context_data())

    def _grant(self, request: HttpRequest, holders: Holders) -> HttpResponse:
        form = self.form = self._form(request.POST)
        if form.is_valid():
            given = form.cleaned_data
            try:
                event = grant_role(
                    given["holder"],
                    given["role"],
                    on=given["on"],
                    by=request.user,
                    until=given["until"],
                    reason=given["reason"],
                )
            except LifecycleError as error:
                form.add_error(None, _told(error, given["on"]))
            else:
                role = holders.roles[given["role"]][1].label
                who = name_of(given["holder"])
                if event is None:
                    messages.info(
                        request, f"{who} has {role} already, until the same time. Nothing was changed."
                    )
                else:
                    messages.success(request, f"{who} is {role} on {self._subject(given['on'])} from now on.")
                return self._back()
        return self.render_to_response(self.get_context_data())

    def _revoke(self, request: HttpRequest, holders: Holders) -> HttpResponse:
        held = holders.one(request.POST.get("grant", ""))
        if held is None or held.digest != request.POST.get("digest"):
            messages.warning(request, "This grant is no longer there. Nothing was changed.")
            return self._back()
        on: Any = holders.roles[held.role][0] if held.declared else holders.model
        if held.object_pk:
            on = record_by_key(on, held.object_pk, request.user)
        if on is None:
            kind = holders.model._meta.verbose_name
            messages.error(
                request,
                f"The {kind} {held.object_pk} is gone, or you may not see it. Nothing was changed. Somebody who may "
                f"has to revoke it.",
            )
            return self._back()
        try:
            revoke_role(held.holder, held.role, on=on, by=request.user, reason=_reason(request))
        except LifecycleError as error:
            messages.error(request, f"{_told(error, on)} Nothing was changed.")
        else:
            messages.success(
                request,
                f"{held.name} is no longer {held.label} on {self._subject(on)}. The log of access keeps both.",
            )
        return self._back()

    def _end(self, request: HttpRequest, holders: Holders) -> HttpResponse:
        delegation = self._delegation(request.POST.get("delegation", ""))
        if delegation is None:
            messages.warning(request, "This delegation has ended already. Nothing was changed.")
            return self._back()
        try:
            revoke_delegation(delegation, by=request.user, reason=_reason(request))
        except LifecycleError as error:
            messages.error(request, f"{error} Nothing was changed.")
        else:
            messages.success(
                request, f"{name_of(delegation.to_user)} no longer acts for {name_of(delegation.from_user)}."
            )
        return self._back()

    def _back(self) -> HttpResponse:
        query = {"on": self.model._meta.label_lower} if self.model is not None else {}
        return HttpResponseRedirect(f"{self.url('roles')}?{urlencode(query)}")

    # Showing

    def _form(self, data: Any = None) -> GrantForm:
        assert self.holders is not None
        return GrantForm(data, using=self.using, roles=self.holders.roles, user=self.request.user)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        choices = [
            {
                "name": model._meta.verbose_name,
                "url": f"?{urlencode({'on': model._meta.label_lower})}",
                "current": model is self.model,
            }
            for model in self.models
        ]
        context |= {"model": self.model, "choices": choices}
        if self.holders is None or self.model is None:
            return context
        meta, query = self.model._meta, self.request.GET
        search = query.get("q", "").strip()[:150]
        held = self.holders.page(query.get("next", ""), search)
        rows = held.rows if held.after or query.get("next") else sorted(held.rows, key=_by_name)
        confirming = self.holders.one(query.get("revoke", "")) if query.get("revoke") else None
        self._link([*rows, *([confirming] if confirming else [])])
        form = self.form or self._form()
        offers, more_offers = form.offers("holder", groups=True)
        directly, more_directly = direct(self.holders)
        return {
            **context,
            "kind": meta.verbose_name,
            "kinds": meta.verbose_name_plural,
            "on": meta.label_lower,
            "roles": [
                {"value": value, "label": role.label, "means": means(model, role)}
                for value, (model, role) in self.holders.roles.items()
            ],
            "held": rows,
            "next": held.after,
            "begun": bool(query.get("next")),
            "search": search,
            "confirming": confirming,
            "gone": bool(query.get("revoke")) and confirming is None,
            "direct": directly,
            "more_direct": more_directly,
            "delegations": self._delegations(),
            "ending": self._delegation(query.get("end", "")),
            "events": self._events(),
            "form": form,
            "offers": offers,
            "more_offers": more_offers,
            "taken": form.data.get("holder", "") if form.is_bound else "",
            "events_url": self.url("access_events"),
            "delegate_url": f"{self.url('delegate')}?{urlencode({'on': meta.label_lower})}",
            "time_zone": timezone.get_current_timezone_name(),
        }

    def _link(self, rows: list[Holding]) -> None:
        label = label_of(self.model)
        records = Seen(self.request.user).records((label, one.object_pk) for one in rows if one.object_pk)
        names = names_in((one.event for one in rows if one.event is not None), self.using)
        for one in rows:
            one.record = records.get((label, one.object_pk))
            one.url = url_of_record(self._site, one.record) if one.record is not None else ""
            one.called = _called(self.model, one)
            one.holder_url = url_of_other(self._site, type(one.holder), one.holder, self.request)
            if one.event is not None:
                one.by = by_whom(one.event, names)

    def _delegations(self) -> dict[str, Any]:
        """Those that reach roles of this lifecycle."""
        assert self.holders is not None
        reach = Q(role="") | Q(role__in=list(self.holders.roles))
        rows: QuerySet[Any] = stores.all_of(Delegation, self.using).filter(reach)
        page = slice_of(
            rows.select_related("from_user", "to_user"), self.request.GET, time="", size=10, prefix="d_"
        )
        return {
            "slice": page,
            "rows": [
                {
                    "delegation": one,
                    "from": name_of(one.from_user),
                    "to": name_of(one.to_user),
                    "as": role_label(self.holders.label, one.role) if one.role else "in all roles",
                    "over": one.until <= timezone.now(),
                }
                for one in page.rows
            ],
        }

    def _delegation(self, text: str) -> Any:
        if not (text.isascii() and text.isdigit() and len(text) < 19):
            return None
        rows = stores.all_of(Delegation, self.using).select_related("from_user", "to_user")
        return rows.filter(pk=int(text)).first()

    def _events(self) -> list[Any]:
        """The latest that tell of this lifecycle, without the creators' own roles, which come with each record."""
        assert self.holders is not None
        newest = stores.all_of(AccessEvent, self.using).order_by("-recorded_at", "-id")[:LOOKED_AT]
        found = [
            event
            for event in newest
            if event.model_label in ("", self.holders.label) and event.road != "default"
        ]
        return told(found[:LATEST], self.using)

    def _subject(self, on: Any) -> str:
        if isinstance(on, type):
            return f"all {on._meta.verbose_name_plural}"  # type: ignore[attr-defined]
        return f"{on._meta.verbose_name} {on.pk}"


def _called(model: Any, one: Holding) -> str:
    kind = str(model._meta.verbose_name)
    name = one.object_pk if one.record is None else str(one.record)
    return name if name.lower().startswith(kind.lower()) else f"{kind[:1].upper()}{kind[1:]} {name}"


def _by_name(one: Holding) -> tuple[str, str, str]:
    return one.name.casefold(), one.label, one.object_pk


def _told(error: LifecycleError, on: Any) -> str:
    """An error with its remedy: where somebody may not, who may."""
    return f"{error} {whom_to_ask(on)}".strip() if isinstance(error, AccessDenied) else str(error)


def _reason(request: HttpRequest) -> str:
    return request.POST.get("reason", "").replace("\0", "").strip()[:200]
