"""Owns the page of one lifecycle: its table, its records, how long things take, who may do what, its versions.

Must not know how any of it is counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from fsm_lifecycle import diagrams
from fsm_lifecycle.admin.section import charts
from fsm_lifecycle.admin.section.connections import connections
from fsm_lifecycle.admin.section.daily import weekly
from fsm_lifecycle.admin.section.dashboard import counts_age
from fsm_lifecycle.admin.section.diagram_file import FORMATS
from fsm_lifecycle.admin.section.event_words import told
from fsm_lifecycle.admin.section.label import model_of
from fsm_lifecycle.admin.section.links import allowed_url, states_link
from fsm_lifecycle.admin.section.log import VIEW_LOG
from fsm_lifecycle.admin.section.log_filter import name_of
from fsm_lifecycle.admin.section.matrix import matrix
from fsm_lifecycle.admin.section.page import Page
from fsm_lifecycle.admin.section.populations import InState, Population, population, stuck
from fsm_lifecycle.admin.section.seen import url_of_record
from fsm_lifecycle.admin.section.versions import versions
from fsm_lifecycle.engine.visible_log import Sight, sight
from fsm_lifecycle.ledger.census import Census, census
from fsm_lifecycle.ledger.rollup import DailyCount
from fsm_lifecycle.ledger.stays import RecentStays, recent_stays
from fsm_lifecycle.presentation.badges import Badge, badge

#: Above so many states the fullest come first, and the rest on demand.
MANY: Final = 20
FULLEST: Final = 12
_STUCK: Final = 5
#: How wide the card of the diagram is inside, in px, on a screen of 1280.
_DRAWN: Final = 880
_ALL_STUCK: Final = 200
_WEEKS: Final = 52


@dataclass(frozen=True, slots=True)
class Share:
    """The records of one state beside those of the fullest."""

    state: InState
    length: str
    """Of 100."""


class LifecyclePage(Page):
    """One lifecycle."""

    name = "lifecycle"
    route = "<lifecycle_label:label>/"
    permission = VIEW_LOG
    title = "Lifecycle of a model"
    under = "dashboard"
    template_name = "admin/fsm_lifecycle/section/lifecycle.html"

    def trail(self) -> list[tuple[str, str]]:
        """Nothing: the page above is the section itself."""
        return []

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        label = str(kwargs["label"])
        model = model_of(label)
        binding, table, seen = model._lifecycle, model._lifecycle.table, sight(self.request.user)
        known = versions(binding.label, table.fingerprint)
        context: dict[str, Any] = {
            "title": name_of(model),
            "model": model,
            "table": table,
            "drawing": diagrams.svg(model, width=_DRAWN),
            "downloads": [
                (word, self.url("diagram", label=label, ending=ending)) for ending, word in FORMATS.items()
            ],
            "many": len(table.states) > MANY,
            "all_states": [badge(table, state) for state in table.states.values()],
            "events": [told(event, table) for event in table.events.values()],
            "transitions": len(table.transitions),
            "compensates": any(event.compensating for event in table.events.values()),
            "section": self.url("dashboard"),
            "roles": [str(role.label) for role in table.roles.values()],
            "rights": matrix(model) if table.roles else [],
            "roles_url": allowed_url(self, "roles"),
            "agent_url": allowed_url(self, "explorer", label=label),
            "chat_url": allowed_url(self, "chat", label=label),
            "links": [
                (link, self._url_of(link.source), self._url_of(link.target)) for link in connections(model)
            ],
            "versions": known,
            "earlier": [one for one in known if not one.current],
            "fingerprint": table.fingerprint,
            "visible": seen.some_of(model),
        }
        if context["visible"]:
            context |= self._records(model, seen, census())
        return super().get_context_data(**context, **kwargs)

    def _records(self, model: Any, seen: Sight, counted: Census) -> dict[str, Any]:
        label = model._lifecycle.label
        people = population(model, seen, counted)
        everybody = self.request.GET.get("stuck") == "all"
        found = stuck(model, seen, _ALL_STUCK if everybody else _STUCK)
        context = {
            "population": people,
            **_shares(people, many=len(people.states) > MANY),
            "states_link": states_link(self._site, model, self.request),
            "stuck": found,
            "stuck_rows": [(one, url_of_record(self._site, one.record)) for one in found.longest],
            "stuck_more": found.number > len(found.longest),
            "counts_age": counts_age(counted, people.counted),
        }
        if seen.sees(model):
            context |= {
                "whole": True,
                "entries": counted.entries.get(label, 0),
                "entries_since": _first_day(label),
                **_throughput(label, counted),
                **_stays(model, recent_stays("default", label)),
            }
        return context

    def _url_of(self, model: Any) -> str:
        return "" if model is None else self.url("lifecycle", label=model._meta.label_lower)


def _shares(people: Population, *, many: bool) -> dict[str, Any]:
    most = max((one.number for one in people.states if not one.terminal), default=0)
    shares = [Share(one, charts.share(one.number, most)) for one in people.states]
    if not many:
        return {"shares": shares, "more_shares": []}
    fullest = sorted(shares, key=lambda one: -one.state.number)
    return {"shares": fullest[:FULLEST], "more_shares": fullest[FULLEST:]}


def _first_day(label: str) -> date | None:
    days = DailyCount.objects.filter(model_label=label).order_by("day")
    return days.values_list("day", flat=True).first()


def _throughput(label: str, counted: Census) -> dict[str, Any]:
    weeks = weekly(label, counted, weeks=_WEEKS)
    return {
        "week_bars": charts.spark(weeks),
        "week_most": max(weeks, default=0),
        "week_total": sum(weeks),
        "week_last": sum(weeks[-4:]),
        "week_first": datetime.now(UTC).date() - timedelta(weeks=_WEEKS),
    }


def _stays(model: Any, found: RecentStays) -> dict[str, Any]:
    table = model._lifecycle.table
    by_state = {one.state: one for one in found.stays}
    rows: list[tuple[Badge, timedelta, timedelta, int]] = []
    for state in table.states.values():
        one = by_state.get(state.value)
        if one is not None and one.median is not None and one.ninety is not None:
            rows.append((badge(table, state), one.median, one.ninety, one.ended))
    drawn = charts.ranges([(shown.label, shown.tone, median, ninety) for shown, median, ninety, _ in rows])
    return {
        "stays": drawn if rows else None,
        "stays_table": [
            (shown, charts.short(median), charts.short(ninety), ended)
            for shown, median, ninety, ended in rows
        ],
        "stays_moves": found.moves,
        "stays_since": found.since,
    }
