"""Owns the section's first page: every lifecycle with its records, what happened lately, what is stuck, the seal.

Must not know how any of it is counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils import timezone

from fsm_lifecycle import conf
from fsm_lifecycle.admin.section import charts
from fsm_lifecycle.admin.section.daily import Daily, daily
from fsm_lifecycle.admin.section.links import allowed_url, states_link
from fsm_lifecycle.admin.section.log import VIEW_LOG, who_grants
from fsm_lifecycle.admin.section.log_filter import name_of
from fsm_lifecycle.admin.section.log_row import rows_of
from fsm_lifecycle.admin.section.page import Page
from fsm_lifecycle.admin.section.populations import (
    Population,
    StuckRecords,
    longest_of,
    oldest,
    population,
    stuck,
)
from fsm_lifecycle.admin.section.seen import Seen, url_of_record
from fsm_lifecycle.admin.section.windows import window
from fsm_lifecycle.engine.visible_log import Sight, sight
from fsm_lifecycle.ledger.census import MOST, Census, census
from fsm_lifecycle.ledger.entry import TransitionLog
from fsm_lifecycle.presentation.durations import in_words
from fsm_lifecycle.registry import lifecycles

DAYS = 60
_SPARK = 30


@dataclass(frozen=True, slots=True)
class Listed:
    """One lifecycle in the list."""

    name: str
    url: str
    states_link: str
    """Where the records of a state are listed, the state's value to be put behind it; empty where they are not."""
    population: Population
    stuck: StuckRecords
    fired: int | None
    """How many firings its bars show; ``None`` where the user may not know."""
    bars: list[charts.Bar]


class DashboardPage(Page):
    """Every lifecycle at a glance."""

    name = "dashboard"
    route = ""
    permission = VIEW_LOG
    title = "Lifecycle"
    tab = "Overview"
    template_name = "admin/fsm_lifecycle/section/dashboard.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        seen = sight(self.request.user)
        if not lifecycles() or seen.nothing:
            none = {"no_lifecycle": not lifecycles(), "nothing": seen.nothing, "helpers": who_grants()}
            return super().get_context_data(**none, **kwargs)
        counted = census()
        models = [model for model in lifecycles() if seen.some_of(model)]
        labels = {model._lifecycle.label for model in models if seen.sees(model)}
        may_see_refusals = self.request.user.has_perm("fsm_lifecycle.view_refusedattempt")
        per_day = daily(labels, counted, days=DAYS, refusals=may_see_refusals)
        listed = [self._listed(model, seen, counted, per_day) for model in models]
        longest = longest_of([one.stuck for one in listed])
        return super().get_context_data(
            listed=listed,
            **self._figures(listed, per_day),
            **self._chart(per_day),
            labels=labels,
            may_see_refusals=may_see_refusals,
            refusals_url=allowed_url(self, "refusals"),
            longest=[(one, url_of_record(self._site, one.record)) for one in longest],
            longest_for=oldest(longest, timezone.now()),
            latest=self._latest(seen),
            log_url=self.url("log"),
            seal=seal_in_words(counted)
            if self.request.user.has_perm("fsm_lifecycle.view_checkpoint")
            else None,
            ledger_url=allowed_url(self, "ledger"),
            counts_age=counts_age(counted, all(one.population.counted for one in listed)),
            **kwargs,
        )

    def _listed(self, model: Any, seen: Sight, counted: Census, per_day: Daily) -> Listed:
        label = model._lifecycle.label
        own = seen.sees(model) and model._lifecycle.owner is model
        fired = per_day.firings(label, _SPARK) if own else []
        return Listed(
            name=name_of(model),
            url=self.url("lifecycle", label=model._meta.label_lower),
            states_link=states_link(self._site, model, self.request),
            population=population(model, seen, counted),
            stuck=stuck(model, seen),
            fired=sum(fired) if own else None,
            bars=charts.spark(fired),
        )

    @staticmethod
    def _figures(listed: list[Listed], per_day: Daily) -> dict[str, Any]:
        stuck_in_all = sum(one.stuck.number for one in listed)
        capped = any(one.stuck.shown.endswith("+") for one in listed)
        return {
            "open_records": sum(one.population.open for one in listed),
            "all_records": sum(one.population.total for one in listed),
            "fired_today": per_day.fired_in_all[-1],
            "fired_median": per_day.median,
            "refused_today": per_day.refused[-1],
            "lacking_today": per_day.lacking_today,
            "stuck_number": stuck_in_all,
            "stuck_shown": f"{stuck_in_all:,}{'+' if capped else ''}",
        }

    @staticmethod
    def _chart(per_day: Daily) -> dict[str, Any]:
        fired = per_day.fired_in_all
        return {
            "chart": charts.days(per_day.first, fired, per_day.refused),
            "chart_days": per_day.number,
            "chart_fired": sum(fired),
            "chart_refused": sum(per_day.refused),
            "chart_table": per_day.table(),
            "in_utc": timezone.get_current_timezone_name() != "UTC",
        }

    def _latest(self, seen: Sight) -> list[Any]:
        everything = TransitionLog.objects.all()
        walked = None if seen.everything or seen.few else everything
        page = window(seen.entries(everything), walked, size=5)
        return rows_of(page.rows, self._site, seen, Seen(self.request.user))


def counts_age(counted: Census, by_hand: bool) -> str:
    """From when the numbers of a page are, as a sentence."""
    if by_hand or (counted.whole and counted.sealed_until is not None):
        return "Counts as of now."
    if counted.sealed_until is None:
        return f"Nothing is sealed yet, so what happened before the latest {MOST:,} entries is not in the counts."
    age = in_words(timezone.now() - counted.sealed_until)
    return f"Counts as of the last seal, {age} ago. More than {MOST:,} entries wait to be sealed and are not counted."


def seal_in_words(counted: Census) -> dict[str, Any]:
    """How far the log is sealed: a word, a detail, and whether somebody should look."""
    now = timezone.now()
    if counted.sealed_until is None:
        return {
            "word": "Not sealed",
            "detail": f"{counted.waiting:,} entries are chained alone" if counted.waiting else "no entry yet",
            "attention": bool(counted.waiting),
        }
    if not counted.waiting:
        return {
            "word": "Sealed",
            "detail": f"all {counted.sealed:,} entries, {'signed' if counted.signed else 'not signed'}",
            "attention": False,
        }
    since = counted.waiting_since or now
    late = now - since > timedelta(seconds=conf.seal_merge_delay())
    more = "" if counted.whole else "+"
    return {
        "word": f"{counted.waiting:,}{more} waiting",
        "detail": f"oldest {in_words(now - since)}; sealed up to {_when(counted)}",
        "attention": late,
    }


def _when(counted: Census) -> str:
    assert counted.sealed_until is not None
    local = timezone.localtime(counted.sealed_until)
    return f"{local:%H:%M}" if local.date() == timezone.localdate() else f"{local.day} {local:%b}"
