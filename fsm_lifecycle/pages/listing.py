"""The list of records: those the user may see, by state, newest first, in pages that need no count.

Must not know what a record's own page shows.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from fsm_lifecycle.definition import CRUD
from fsm_lifecycle.pages.page import LifecyclePage, key_of
from fsm_lifecycle.pages.values import cell, heading
from fsm_lifecycle.presentation.badges import badge


class LifecycleListView(LifecyclePage):
    """The records that the user may see, by descending key.

    - ``columns``: fields, properties or methods beside each record's name and state.
    - ``page_size``: records on a page.
    """

    template_name = "fsm_lifecycle/pages/list.html"
    http_method_names = ["get", "head", "options"]
    columns: list[str] = []
    page_size: int = 25

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """The page."""
        state = request.GET.get("state", "")
        state = state if state in self.table.states else ""
        records, newer, older = self._page(state)
        return self.render(
            rows=[self._row(record) for record in records],
            headings=[heading(self.model, name) for name in self.columns],
            states=self._states(state),
            state=badge(self.table, state) if state else None,
            create_url=self.address("create") if self.may(CRUD.CREATE) else "",
            newer_url=self._url(state, "newer", newer),
            older_url=self._url(state, "older", older),
            newest_url=self._url(state) if newer is not None else "",
        )

    def _page(self, state: str) -> tuple[list[Any], Any, Any]:
        """The records of the page, and the keys behind which there are newer and older ones."""
        found = self.records()
        if related := self._related():
            found = found.select_related(*related)
        if state:
            found = found.filter(**{self.binding.state_name: state})
        above, below = self._key("newer"), self._key("older")
        if above is not None:
            rows = list(found.filter(pk__gt=above).order_by("pk")[: self.page_size + 1])
            more, rows = len(rows) > self.page_size, rows[: self.page_size][::-1]
            return rows, rows[0].pk if rows and more else None, rows[-1].pk if rows else None
        if below is not None:
            found = found.filter(pk__lt=below)
        rows = list(found.order_by("-pk")[: self.page_size + 1])
        more, rows = len(rows) > self.page_size, rows[: self.page_size]
        newer = rows[0].pk if rows and below is not None else None
        return rows, newer, rows[-1].pk if more else None

    def _related(self) -> list[str]:
        fields = {f.name: f for f in self.model._meta.concrete_fields}
        return [name for name in self.columns if name in fields and fields[name].remote_field is not None]

    def _key(self, name: str) -> Any:
        text = self.request.GET.get(name)
        return None if text is None else key_of(self.model, text)

    def _url(self, state: str, name: str = "", key: Any = None) -> str:
        if name and key is None:
            return ""
        query = {"state": state} if state else {}
        if name:
            query[name] = str(key)
        return f"?{urlencode(query)}"

    def _row(self, record: Any) -> dict[str, Any]:
        return {
            "record": record,
            "url": self.address("detail", record),
            "cells": [cell(record, name) for name in self.columns],
        }

    def _states(self, chosen: str) -> list[dict[str, Any]]:
        return [
            {"badge": badge(self.table, state), "url": self._url(state), "chosen": state == chosen}
            for state in self.table.states
        ]
