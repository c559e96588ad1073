"""Owns the page of one event of one record: it says what will happen, asks for the answers, and fires.

GET only shows. POST fires with the sequence that the page has seen. Must not know which denial means what.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse

from fsm_lifecycle.admin.model_admin.record_page import entry_url
from fsm_lifecycle.definition import Event
from fsm_lifecycle.presentation import answers
from fsm_lifecycle.presentation.asking import Ask, Outcome, leaves
from fsm_lifecycle.presentation.badges import badge
from fsm_lifecycle.presentation.outlook import outlook
from fsm_lifecycle.presentation.timeline import History, led

if TYPE_CHECKING:
    from fsm_lifecycle.admin.model_admin.lifecycle_admin import LifecycleAdmin


def view(admin: LifecycleAdmin, request: HttpRequest, object_id: str, event: str) -> HttpResponseBase:
    """The page of an event. 404 for an event that is not offered, or a record that may not be seen."""
    found = next((one for one in admin.events() if one.name == event), None)
    if found is None:
        raise Http404(f"There is no event “{event}” here.")
    record: Any = admin.get_object(request, unquote(object_id))
    if record is None:
        raise Http404(f"There is no {admin.opts.verbose_name} “{unquote(object_id)}”, or you may not see it.")
    if not admin.has_view_permission(request, record):
        raise PermissionDenied
    page = _Page(admin, request, Ask(record, found, request.user, surface="admin"), object_id)
    return page.post() if request.method == "POST" else page.get()


class _Page:
    def __init__(self, admin: LifecycleAdmin, request: HttpRequest, ask: Ask, object_id: str) -> None:
        self.admin = admin
        self.request = request
        self.ask = ask
        self.back = admin.url("change", object_id)

    @property
    def event(self) -> Event:
        return self.ask.event

    def get(self) -> HttpResponseBase:
        return self._confirm(self.ask.form())

    def post(self) -> HttpResponseBase:
        data, files = self.request.POST, self.request.FILES
        if "review" in data:  # what was typed before the record changed
            return self._confirm(self.ask.form(data, files))
        outcome = self.ask.fire(data, files, data.get("expected_sequence"))
        if outcome.entry is not None:
            return self._done(outcome.entry)
        if outcome.form is not None:
            return self._confirm(outcome.form, status=200)
        if outcome.stale:
            return self._stale(outcome)
        return self._confirm(self.ask.form(data, files), refused=outcome.reasons)

    def _done(self, entry: Any) -> HttpResponseBase:
        admin, table = self.admin, self.admin.binding.table
        target, source = badge(table, entry.to_state).label, badge(table, entry.from_state).label
        note = f"{self.event.label}: {source} → {target} (entry {entry.sequence})."
        admin.log_change(self.request, self.ask.record, note)
        messages.success(self.request, f"{self._name()} is {target}.")
        return HttpResponseRedirect(self.back)

    def _name(self) -> str:
        name = str(self.ask.record)
        kind = str(self.admin.opts.verbose_name)
        return name if kind.lower() in name.lower() else f"{kind[:1].upper()}{kind[1:]} {name}"

    def _confirm(
        self, form: forms.BaseForm, refused: tuple[str, ...] = (), status: int = 200
    ) -> HttpResponseBase:
        decision = self.ask.decision()
        state = badge(self.admin.binding.table, decision.source)
        targets = (decision.target,) if decision.target is not None else self.event.targets
        denied = refused or tuple(dict.fromkeys(denial.reason for denial in decision.denials))
        return self._render(
            "event",
            status,
            form=form,
            state=state,
            targets=[badge(self.admin.binding.table, target) for target in targets],
            outlook=outlook(
                self.admin.binding, self.event, self.ask.record, decision.target, viewer=self.request.user
            ),
            denied=denied,
            was_refused=bool(refused),
            possible=decision.allowed,
            leaves=leaves(decision),
            submit=self.ask.submit,
            ask_whom=answers.who_could(self.ask, decision, self.request.user),
            sequence=self.ask.sequence,
            multipart=form.is_multipart(),
        )

    def _stale(self, outcome: Outcome) -> HttpResponseBase:
        record, admin = self.ask.record, self.admin
        history = History(
            admin.binding,
            admin.opened(self.request, record),
            self.request.user,
            url=entry_url(admin, self.request),
        )
        items = history.items(outcome.since)
        decision = self.ask.decision()
        return self._render(
            "stale",
            409,
            items=items,
            newest=items[0] if items else None,
            moved=led(items),
            state=badge(admin.binding.table, decision.source),
            since=record.state_since,
            why=outcome.reasons,
            possible=decision.allowed,
            denied=tuple(dict.fromkeys(denial.reason for denial in decision.denials)),
            typed=list(answers.typed(self.ask, self.request.POST)),
            kept=answers.kept(self.request.POST),
        )

    def _render(self, name: str, status: int, **context: Any) -> HttpResponseBase:
        admin, record = self.admin, self.ask.record
        kind = str(admin.opts.verbose_name)
        return TemplateResponse(
            self.request,
            f"admin/fsm_lifecycle/record/{name}.html",
            {
                **admin.admin_site.each_context(self.request),
                "title": f"{self.event.label}: {self._name()}",
                "opts": admin.opts,
                "media": admin.media,
                "record": record,
                "event": self.event,
                "kind": kind,
                "back": self.back,
                **context,
            },
            status=status,
        )
