"""Owns what a record's own page shows of its lifecycle: the panel, the path it took, and its newest entries.

Must not know the form of its fields.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.contrib.admin.utils import quote
from django.db import router
from django.http import HttpRequest
from django.urls import NoReverseMatch

from fsm_lifecycle.admin.section.choosing import home
from fsm_lifecycle.admin.section.page import url_of
from fsm_lifecycle.append_only import key_text
from fsm_lifecycle.models import TransitionLog
from fsm_lifecycle.presentation.panel import panel
from fsm_lifecycle.presentation.record import diagram, footer, path, steps
from fsm_lifecycle.presentation.timeline import history, led

if TYPE_CHECKING:
    from fsm_lifecycle.admin.model_admin.lifecycle_admin import LifecycleAdmin


def context(admin: LifecycleAdmin, request: HttpRequest, shown_record: Any) -> dict[str, Any]:
    """What the template of a record's page needs beside Django's own."""
    # A form that was refused has left what was typed on the instance; events are decided on what is saved.
    record: Any = (
        shown_record if request.method in ("GET", "HEAD") else admin.get_object(request, str(shown_record.pk))
    )
    if record is None:
        return {}
    object_id = quote(record.pk)
    items, more = history(
        record,
        admin.opened(request, record),
        request.user,
        limit=admin.history_length,
        url=entry_url(admin, request),
    )
    taken = steps(record)
    shown = panel(
        record,
        request.user,
        lambda event: admin.url("event", object_id, event.name),
        led(items),
        admin.events(),
    )
    return {
        "lifecycle_panel": shown,
        "lifecycle_history": items,
        "lifecycle_more": more,
        "lifecycle_footer": footer(record, items),
        "lifecycle_path": path(record, taken),
        "lifecycle_diagram": diagram(record, taken, [one.name for one in shown.offered]),
        "lifecycle_log_url": log_url(admin, request, record),
    }


def entry_url(admin: LifecycleAdmin, request: HttpRequest) -> Any:
    """What gives an entry's address, where the user may open the log."""
    may = request.user.has_perm("fsm_lifecycle.view_transitionlog")

    def url(entry: TransitionLog) -> str:
        if not may or not _in_section(entry):
            return ""
        try:
            return url_of(admin.admin_site, "entry", pk=entry.pk)
        except NoReverseMatch:  # this site has no lifecycle section
            return ""

    return url


def log_url(admin: LifecycleAdmin, request: HttpRequest, record: Any) -> str:
    """The log, filtered to one record, where the user may open it."""
    if not request.user.has_perm("fsm_lifecycle.view_transitionlog") or not _in_section(record):
        return ""
    try:
        log = url_of(admin.admin_site, "log")
    except NoReverseMatch:
        return ""
    return f"{log}?{urlencode({'model': admin.binding.label, 'record': key_text(record.pk)})}"


def _in_section(row: Any) -> bool:
    """Whether the section shows the log of the database a row is written to, from wherever it was read."""
    return router.db_for_write(type(row), instance=row) == home()
