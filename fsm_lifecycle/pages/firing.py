"""The page of one event of one record: it says what will happen, asks for the answers, and fires.

GET only shows. POST fires with the sequence that the page has seen. Must not know which denial means what.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase

from fsm_lifecycle.definition import Event
from fsm_lifecycle.engine.binding import SINCE
from fsm_lifecycle.pages.page import RecordPage
from fsm_lifecycle.presentation import answers
from fsm_lifecycle.presentation.asking import Ask, Outcome, leaves
from fsm_lifecycle.presentation.badges import badge
from fsm_lifecycle.presentation.opened import Opened
from fsm_lifecycle.presentation.outlook import outlook
from fsm_lifecycle.presentation.timeline import History, led


class LifecycleFireView(RecordPage):
    """Fires the event that the route names by ``event``."""

    template_name = "fsm_lifecycle/pages/fire.html"
    ask: Ask

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """What will happen, and the form."""
        self.ask = self._asked()
        return self._confirm(self.ask.form())

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Fire; where that is refused, say why and keep what was typed."""
        self.ask = self._asked()
        data, files = request.POST, request.FILES
        if "review" in data:  # what was typed before the record changed
            return self._confirm(self.ask.form(data, files))
        outcome = self.ask.fire(data, files, data.get("expected_sequence"))
        self.record = self.ask.record
        if outcome.entry is not None:
            state = badge(self.table, outcome.entry.to_state)
            self.say(f"{self.record} is {state.label}.")
            return HttpResponseRedirect(self.address("detail", self.record) or self.address("list") or "/")
        if outcome.form is not None:
            return self._confirm(outcome.form)
        if outcome.stale:
            return self._stale(outcome)
        return self._confirm(self.ask.form(data, files), refused=outcome.reasons)

    def _asked(self) -> Ask:
        record = self.load()
        event = self.table.events.get(self.kwargs["event"])
        if event is None:
            raise Http404(f"There is no event “{self.kwargs['event']}” here.")
        ask = Ask(record, event, self.request.user, surface="pages")
        if event.hidden and not ask.decision().allowed:
            raise Http404(f"There is no event “{event.name}” here.")
        return ask

    @property
    def event(self) -> Event:
        """The event."""
        return self.ask.event

    def context(self, **more: Any) -> dict[str, Any]:
        """What the template gets."""
        if not hasattr(self, "ask"):
            return super().context(**more)
        title = f"{self.event.label}: {self.record}"
        return super().context(
            **{"event": self.event, "submit": self.ask.submit, "page_title": title, **more}
        )

    def _confirm(self, form: forms.BaseForm, refused: tuple[str, ...] = ()) -> HttpResponseBase:
        decision = self.ask.decision()
        targets = (decision.target,) if decision.target is not None else self.event.targets
        return self.render(
            form=form,
            multipart=form.is_multipart(),
            state=badge(self.table, decision.source),
            targets=[badge(self.table, target) for target in targets],
            outlook=outlook(self.binding, self.event, self.record, decision.target, viewer=self.request.user),
            denied=refused or _reasons(decision),
            was_refused=bool(refused),
            possible=decision.allowed,
            leaves=leaves(decision),
            ask_whom=answers.who_could(self.ask, decision, self.request.user),
            sequence=self.ask.sequence,
        )

    def _stale(self, outcome: Outcome) -> HttpResponseBase:
        decision = self.ask.decision()
        opened = Opened.of(self.model, [*self.opened_fields(), self.binding.state_name])
        items = History(self.binding, opened, self.request.user).items(outcome.since)
        return self.render(
            409,
            stale=True,
            items=items,
            newest=items[0] if items else None,
            moved=led(items),
            state=badge(self.table, decision.source),
            since=getattr(self.record, SINCE),
            why=outcome.reasons,
            possible=decision.allowed,
            denied=_reasons(decision),
            typed=list(answers.typed(self.ask, self.request.POST)),
            kept=answers.kept(self.request.POST),
        )


def _reasons(decision: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys(denial.reason for denial in decision.denials))
