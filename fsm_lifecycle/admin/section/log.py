"""Owns the page of the log: filtered, newest first, read-only. Must not know how an entry is drawn."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model

from fsm_lifecycle.admin.section.days import by_day
from fsm_lifecycle.admin.section.log_filter import LogFilter
from fsm_lifecycle.admin.section.log_row import rows_of
from fsm_lifecycle.admin.section.page import Page
from fsm_lifecycle.admin.section.seen import Seen
from fsm_lifecycle.admin.section.skipping import below
from fsm_lifecycle.admin.section.windows import WINDOW, Window, read_place, window
from fsm_lifecycle.engine.visible_log import Sight, sight
from fsm_lifecycle.ledger.entry import TransitionLog, TransitionLogQuerySet

VIEW_LOG = "fsm_lifecycle.view_transitionlog"


class LogPage(Page):
    """What happened to every record that the user may read."""

    name = "log"
    route = "log/"
    permission = VIEW_LOG
    title = "Log"
    tab = "Log"
    template_name = "admin/fsm_lifecycle/section/log.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        user, asked = self.request.user, LogFilter(self.request.GET)
        seen = sight(user)
        context = {"filter": asked, "sight": seen, "url": self.url("log"), "window": WINDOW}
        if asked.is_valid() and not seen.nothing:
            page = self._window(asked, seen)
            rows = rows_of(page.rows, self._site, seen, Seen(user))
            context |= {
                "page": page,
                "rows": rows,
                "days": by_day(rows),
                "newest_url": "" if page.newest else asked.query(),
                "newer_url": asked.query(after=page.newer) if page.newer else "",
                "older_url": asked.query(before=page.older) if page.older else "",
                "chips": asked.chips(),
                "csv_url": f"{self.url('log_csv')}{asked.query()}",
                "json_url": f"{self.url('log_json')}{asked.query()}",
                "wider_url": asked.query(without=("since", "until")),
            }
        elif seen.nothing:
            context["helpers"] = who_grants()
        return super().get_context_data(**context, **kwargs)

    def _window(self, asked: LogFilter, seen: Sight) -> Window:
        found = seen.entries(asked.narrow(TransitionLog.objects.all()))
        walked = walked_by(asked, seen)
        before = read_place(self.request.GET.get("before"))
        return window(
            found,
            walked,
            before=before,
            after=read_place(self.request.GET.get("after")),
            below=None if walked is None else below(asked, found, before),
        )


def walked_by(asked: LogFilter, seen: Sight) -> TransitionLogQuerySet | None:
    """The entries that have to be walked to find what is asked for; ``None`` where an index leads there."""
    if seen.few or asked.by_record or (seen.everything and asked.only_times):
        return None
    return asked.in_time(TransitionLog.objects.all())


def who_grants() -> list[str]:
    """Some people who may give roles, for those who have none."""
    users: Any = get_user_model()._default_manager
    try:
        found = users.with_perm(
            "fsm_lifecycle.grant_roles", backend="django.contrib.auth.backends.ModelBackend"
        )
    except (AttributeError, ValueError):
        return []
    return [user.get_full_name() or user.get_username() for user in found.order_by("pk")[:3]]
