"""Owns the page with a record's whole history, a keyset page at a time, beside Django's list of edits.

Must not know how an entry is drawn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.admin.models import LogEntry
from django.contrib.admin.options import get_content_type_for_model
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import PAGE_VAR
from django.http import HttpRequest

from fsm_lifecycle.admin.model_admin.noting import edits
from fsm_lifecycle.admin.model_admin.record_page import entry_url, log_url
from fsm_lifecycle.presentation.record import footer
from fsm_lifecycle.presentation.timeline import history

if TYPE_CHECKING:
    from fsm_lifecycle.admin.model_admin.lifecycle_admin import LifecycleAdmin

LENGTH = 50
#: How many of Django's own notes a page has, as there.
NOTES = 100


def context(admin: LifecycleAdmin, request: HttpRequest, object_id: str) -> dict[str, Any]:
    """What the template needs beside Django's own; empty where there is no such record."""
    record: Any = admin.get_object(request, unquote(object_id))
    if record is None or not admin.has_view_permission(request, record):
        return {}
    below = request.GET.get("below", "")
    before = int(below) if below.isascii() and below.isdigit() and len(below) < 19 else None
    items, more = history(
        record,
        admin.opened(request, record),
        request.user,
        limit=LENGTH,
        below=before,
        url=entry_url(admin, request),
    )
    return {
        "lifecycle_history": items,
        "lifecycle_footer": footer(record, items),
        "lifecycle_older": items[-1].entry.sequence if more else None,
        "lifecycle_newest": before is not None,
        "lifecycle_log_url": log_url(admin, request, record),
        **_edits(admin, request, object_id),
    }


def _edits(admin: LifecycleAdmin, request: HttpRequest, object_id: str) -> dict[str, Any]:
    """Django's own list without what the timeline has already."""
    notes = LogEntry.objects.filter(
        object_id=unquote(object_id), content_type=get_content_type_for_model(admin.model)
    )
    ordered = edits(notes).select_related("user").order_by("action_time")
    paginator = admin.get_paginator(request, ordered, NOTES)
    page = paginator.get_page(request.GET.get(PAGE_VAR, 1))
    return {
        "action_list": page,
        "page_range": paginator.get_elided_page_range(page.number),
        "pagination_required": paginator.count > NOTES,
    }
