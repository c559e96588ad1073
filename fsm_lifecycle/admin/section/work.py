"""Owns the page of background work: queues, what people have under way, routines, and work that was given up.

Counts nothing without bound. Must not know what any work does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, Final

from django.contrib import messages
from django.contrib.auth import get_user_model
from django.db import router
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone

from fsm_lifecycle import conf
from fsm_lifecycle.admin.section.choosing import at, choices, chosen, home
from fsm_lifecycle.admin.section.keyset import slice_of
from fsm_lifecycle.admin.section.page import Page
from fsm_lifecycle.admin.section.timer_rows import TIMERS, timer_rows
from fsm_lifecycle.dispatch import items, kinds, routines
from fsm_lifecycle.dispatch.figures import MOST, standings
from fsm_lifecycle.dispatch.routine_state import RoutineState
from fsm_lifecycle.dispatch.work_item import WorkItem
from fsm_lifecycle.engine import errands
from fsm_lifecycle.engine.errand import Errand
from fsm_lifecycle.presentation.going import Going
from fsm_lifecycle.presentation.people import full_names
from fsm_lifecycle.registry import get

#: How many pieces of dead work a page has, and how many one press of a button tries again.
SIZE: Final = 15
AT_ONCE: Final = 500
#: How many errands are listed.
LISTED: Final = 20
#: Up to which number the tab counts.
COUNTED: Final = 99
#: After which work that is due and free says that nobody works.
LATE: Final = timedelta(minutes=5)

_is_hash = re.compile(r"[0-9a-f]{64}").fullmatch

#: Who does the work, by the mode in DISPATCH.
WORKERS: Final = {
    "thread": "A thread in each process of the site works. It begins with the first commit after a start.",
    "celery": "Celery workers work. Beat finds what a message was lost for.",
    "command": "Nothing works by itself: keep manage.py lifecycle_work running, or run it with --once by cron.",
    "inline": "Work is done right after the commit, before the request goes on.",
    "tasks": "The workers of Django’s tasks work.",
}


class WorkPage(Page):
    """What is done in the background, and what is not."""

    name = "work"
    route = "work/"
    permission = "fsm_lifecycle.manage_work"
    title = "Work"
    tab = "Work"
    template_name = "admin/fsm_lifecycle/section/work.html"

    @classmethod
    def attention(cls) -> str:
        """How much was given up."""
        using = home()
        number = WorkItem.objects.using(using).filter(status=WorkItem.DEAD)[: COUNTED + 1].count()
        return f"{COUNTED}+" if number > COUNTED else str(number or "")

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        self.using = home()

    # --- buttons --------------------------------------------------------------------------------------------

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.using = chosen(request.POST)
        act = {
            "retry": self._retry,
            "drop": self._drop,
            "retry_all": self._retry_all,
            "stop": self._stop,
        }.get(request.POST.get("what", ""))
        if act is not None:
            act(request)
        return HttpResponseRedirect(at(self.url("work"), self.using))

    def _retry(self, request: HttpRequest) -> None:
        item = self._dead(request.POST.get("item", ""))
        if item is not None and items.retry(item):
            messages.success(request, f"{_label(item)} {item.pk} is queued again, with all its tries.")
        else:
            messages.warning(request, "This work is not dead any more. Nothing was changed.")

    def _drop(self, request: HttpRequest) -> None:
        item = self._dead(request.POST.get("item", ""))
        if item is not None and items.drop(item):
            messages.success(request, f"{_label(item)} {item.pk} is dropped. It will not be done.")
        else:
            messages.warning(request, "This work is not dead any more. Nothing was changed.")

    def _retry_all(self, request: HttpRequest) -> None:
        found = list(items.dead(self.using)[:AT_ONCE])
        number = sum(items.retry(item) for item in found)
        if not number:
            messages.info(request, "No work was given up. Nothing was changed.")
        else:
            rest = " There is more: press the button again." if len(found) == AT_ONCE else ""
            words = "piece of work is" if number == 1 else "pieces of work are"
            messages.success(request, f"{number:,} {words} queued again.{rest}")

    def _stop(self, request: HttpRequest) -> None:
        pk = _number(request.POST.get("errand", ""))
        errand = Errand.objects.using(self.using).filter(pk=pk).first() if pk else None
        if errand is not None and errands.stop(errand):
            messages.info(request, "It stops after the piece that is at work now.")
        else:
            messages.warning(request, "It is over already. Nothing was changed.")

    def _dead(self, text: str) -> WorkItem | None:
        pk = _number(text)
        return items.dead(self.using).filter(pk=pk).first() if pk else None

    # --- the page ---------------------------------------------------------------------------------------------

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        params, now = self.request.GET, timezone.now()
        using = self.using = chosen(params)
        found: list[Any] = list(standings(using, now))
        # Ordered by the page itself: a dead row has its end.
        dead = slice_of(
            WorkItem.objects.using(using).filter(status=WorkItem.DEAD), params, time="finished_at", size=SIZE
        )
        oldest = min((one.oldest for one in found if one.oldest is not None), default=None)
        going = self._going()
        dropping = self._dead(params.get("drop", "")) if params.get("drop") else None
        return {
            **super().get_context_data(**kwargs),
            "databases": choices(),
            "using": using,
            "mode": conf.dispatch(),
            "workers": WORKERS.get(conf.dispatch(), "DISPATCH names no mode there is."),
            "queues": found,
            "most": MOST,
            "due": sum(one.due for one in found),
            "whole": all(one.whole for one in found),
            "oldest": oldest,
            "late": oldest is not None and now - oldest > LATE,
            "at_work": sum(one.workers for one in found),
            "going": going,
            "routines": list(_routines(using, now)),
            "timers": timer_rows(self, using, now),
            "timers_listed": TIMERS,
            "slice": dead,
            "dead": [_row(item) for item in dead.rows],
            "dropping": _row(dropping) if dropping is not None else None,
            "not_there": bool(params.get("drop")) and dropping is None,
        }

    def _going(self) -> list[dict[str, Any]]:
        rows: QuerySet[Errand] = Errand.objects.using(self.using).filter(status=Errand.GOING)
        found: Sequence[Errand] = list(rows.order_by("-id")[:LISTED])
        names = full_names((one.asked_by for one in found), router.db_for_read(get_user_model()))
        return [
            {
                "errand": one,
                "what": what_of(one),
                "by": names.get(one.asked_by) or f"user {one.asked_by}",
                "going": Going.of(one, ""),
            }
            for one in found
        ]


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def _label(item: WorkItem) -> str:
    kind = kinds.get(item.kind)
    return kind.label if kind is not None else item.kind


def what_of(errand: Errand) -> str:
    """What an errand does, in a few words."""
    kind = kinds.get(errand.kind)
    label = kind.label if kind is not None else errand.kind
    try:
        model: Any = get(errand.model_label) if errand.model_label else None
    except LookupError:
        return f"{label}: {errand.model_label}"
    if model is None:
        return label
    event = model._lifecycle.table.events.get(errand.payload.get("event", ""))
    plural = str(model._meta.verbose_name_plural)
    return f"{event.label}: {plural}" if event is not None else f"{label}: {plural}"


def _row(item: WorkItem) -> dict[str, Any]:
    """A piece of dead work as the list has it. What it was told are ids and names, cut short."""
    why = item.result.get("why") if isinstance(item.result, dict) else ""
    payload = item.payload if isinstance(item.payload, dict) else {}
    told = ", ".join(
        f"{name} {_short(value)}"
        for name, value in payload.items()
        if isinstance(value, str | int) and name != "place"
    )
    return {"item": item, "label": _label(item), "told": told[:200], "why": why or item.error_class}


def _short(value: str | int) -> str:
    """A hash by its first eight characters, anything else cut where it gets long."""
    text = str(value)
    return text[:8] if _is_hash(text) else f"{text[:59]}…" if len(text) > 60 else text


def _routines(using: str, now: Any) -> Iterable[dict[str, Any]]:
    states = {one.name: one for one in RoutineState.objects.using(using)}
    for routine in routines.all_routines():
        state = states.get(routine.name)
        yield {
            "routine": routine,
            "every": timedelta(seconds=routine.every),
            "paced": routine.paced,
            "ran_at": state.ran_at if state is not None else None,
            "next": state.due_at if state is not None and state.due_at > now else None,
            "failed_at": state.failed_at if state is not None else None,
            "error_class": state.error_class if state is not None else "",
        }
