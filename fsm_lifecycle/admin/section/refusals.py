"""Owns the page of refusals: who wanted what, and every reason why it was not done.

Must not know why: the reasons are those that were given then.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.db import router
from django.db.models import QuerySet
from django.utils import timezone

from fsm_lifecycle.admin.section.days import by_day
from fsm_lifecycle.admin.section.keyset import slice_of
from fsm_lifecycle.admin.section.page import Page
from fsm_lifecycle.admin.section.refusal_filter import CODES, SURFACES, RefusalFilter
from fsm_lifecycle.admin.section.seen import Seen, url_of_record
from fsm_lifecycle.engine.refusals import RefusedAttempt
from fsm_lifecycle.presentation.badges import Badge, badge
from fsm_lifecycle.presentation.people import KINDS, Who, full_names

#: How many refusals a page has.
SIZE: Final = 25
#: What the summary is of, and how many of the newest refusals it looks at.
DAYS: Final = 30
COUNTED: Final = 10_000


@dataclass(frozen=True, slots=True)
class Row:
    """One refusal as a row of the list."""

    attempt: RefusedAttempt
    name: str
    """What the record's model is called."""
    what: str
    state: Badge | None
    who: Who
    why: list[tuple[str, str]]
    """What each reason is called, and the reason."""
    surface: str
    url: str
    """The record's page; empty where there is none or the user may not see it."""

    @property
    def recorded_at(self) -> Any:
        return self.attempt.recorded_at


class RefusalsPage(Page):
    """What was refused."""

    name = "refusals"
    route = "refusals/"
    permission = "fsm_lifecycle.view_refusedattempt"
    title = "Refusals"
    tab = "Refusals"
    template_name = "admin/fsm_lifecycle/section/refusals.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        seen = Seen(self.request.user)
        attempts = seen.rows(RefusedAttempt.objects.all())
        asked = RefusalFilter(self.request.GET)
        valid = asked.is_valid()
        page = slice_of(asked.narrow(attempts), self.request.GET, size=SIZE) if valid else None
        rows = self._rows(page.rows, seen, asked.models) if page else []
        chips = asked.chips() if valid else []
        return {
            **super().get_context_data(**kwargs),
            "filter": asked,
            "chips": chips,
            "url": self.url("refusals"),
            "wider": asked.query(without=("since", "until")),
            "slice": page,
            "days": by_day(rows),
            "summary": None if chips or not valid else _summary(attempts),
            "partly": not seen.everything,
        }

    def _rows(self, attempts: Iterable[RefusedAttempt], seen: Seen, models: dict[str, Any]) -> list[Row]:
        attempts = list(attempts)
        records = seen.records((one.model_label, one.object_pk) for one in attempts)
        keys = {one.actor_id for one in attempts if one.actor_kind in ("user", "agent")}
        names = full_names(keys, router.db_for_read(get_user_model()))
        return [self._row(one, models.get(one.model_label), records, names) for one in attempts]

    def _row(self, one: RefusedAttempt, model: Any, records: Any, names: Mapping[str, str]) -> Row:
        table = model._lifecycle.table if model is not None else None
        event = table.events.get(one.event) if table is not None else None
        name = str(model._meta.verbose_name) if model is not None else one.model_label
        record = records.get((one.model_label, one.object_pk))
        return Row(
            attempt=one,
            name=f"{name[:1].upper()}{name[1:]}",
            what=str(event.label) if event is not None else one.event,
            state=badge(table, one.state) if table is not None and one.state else None,
            who=_who(one, names),
            why=_why(one),
            surface=SURFACES.get(str(one.surface)) or str(one.surface),
            url=url_of_record(self._site, record) if record is not None else "",
        )


def _who(one: RefusedAttempt, names: Mapping[str, str]) -> Who:
    kind = one.actor_kind if one.actor_kind in KINDS else "unknown"
    if kind == "system":
        return Who(kind, one.actor_id)
    if kind == "unknown":
        return Who(kind, "nobody known")
    if not one.actor_label:  # erased
        return Who(kind, f"{KINDS[kind].lower()} {one.actor_id}")
    return Who(kind, names.get(str(one.actor_id), one.actor_label))


def _why(one: RefusedAttempt) -> list[tuple[str, str]]:
    """Every reason. The stored list is what the code of that time wrote, so nothing is taken for granted."""
    found = one.denials if isinstance(one.denials, list) else []
    reasons = [
        (_label(denial), str(denial.get("reason") or "")) for denial in found if isinstance(denial, dict)
    ]
    return reasons or [(CODES.get(str(one.code), str(one.code)), one.reason)]


def _label(denial: dict[str, Any]) -> str:
    """What a reason is called; an argument by the field that it is about."""
    code, name = str(denial.get("code") or ""), str(denial.get("name") or "")
    label = CODES.get(code, code)
    return f"{label}: {name.replace('_', ' ')}" if code == "invalid_arguments" and name else label


def _summary(attempts: QuerySet[Any]) -> dict[str, Any]:
    """The refusals of the last days by what they were for. Reads a bounded number of rows."""
    since = timezone.now() - timedelta(days=DAYS)
    newest = attempts.filter(recorded_at__gte=since).order_by("-recorded_at", "-id")
    codes = list(newest.values_list("code", flat=True)[: COUNTED + 1])
    whole = len(codes) <= COUNTED
    counted = Counter(codes[:COUNTED]).most_common()
    most = counted[0][1] if counted else 1
    return {
        "total": min(len(codes), COUNTED),
        "whole": whole,
        "days": DAYS,
        "rows": [
            {"code": code, "label": CODES.get(code, code), "number": n, "share": round(100 * n / most, 1)}
            for code, n in counted
        ],
    }
