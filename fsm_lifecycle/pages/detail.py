"""The page of a record: its state, what can be done and why the rest cannot, its fields, its history.

Must not know how an event is fired.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from fsm_lifecycle.definition import CRUD
from fsm_lifecycle.pages.page import RecordPage
from fsm_lifecycle.presentation import record as presented
from fsm_lifecycle.presentation.opened import Opened
from fsm_lifecycle.presentation.panel import panel
from fsm_lifecycle.presentation.timeline import history, led

#: Up to so many states the diagram is unfolded from the start.
UNFOLDED = 12


class LifecycleDetailView(RecordPage):
    """One record. ``history_length``: how many entries are shown at once."""

    template_name = "fsm_lifecycle/pages/detail.html"
    http_method_names = ["get", "head", "options"]
    history_length: int = 15

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """The page."""
        record = self.load()
        below = request.GET.get("below", "")
        items, more = history(
            record,
            Opened.of(self.model, [*self.opened_fields(), self.binding.state_name]),
            request.user,
            limit=self.history_length,
            below=int(below) if below.isascii() and below.isdigit() and len(below) < 19 else None,
        )
        shown = panel(
            record,
            request.user,
            lambda event: self.address("fire", record, event=event.name),
            led(items) if not below else None,
        )
        taken = presented.steps(record)
        return self.render(
            panel=shown,
            facts=self.facts(),
            history=items,
            older=items[-1].entry.sequence if more else None,
            newest=bool(below),
            footer=presented.footer(record, items),
            path=presented.path(record, taken),
            diagram_open=len(self.table.states) <= UNFOLDED,
            diagram=presented.diagram(record, taken, [one.name for one in shown.offered]),
            update_url=self.address("update", record) if self.may(CRUD.UPDATE, record) else "",
            delete_url=self.address("delete", record) if self.may(CRUD.DELETE, record) else "",
        )
