"""Owns the page with a record's whole history, a keyset page at a time, beside Django's list of edits.

Must not know how an entry is drawn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.admin.utils import unquote
from django.http import HttpRequest

from fsm_lifecycle.admin.model_admin.record_page import entry_url, log_url
from fsm_lifecycle.presentation.record import footer
from fsm_lifecycle.presentation.timeline import history

if TYPE_CHECKING:
    from fsm_lifecycle.admin.model_admin.lifecycle_admin import LifecycleAdmin

LENGTH = 50


def context(admin: LifecycleAdmin, request: HttpRequest, object_id: str) -> dict[str, Any]:
    """What the template needs beside Django's own; empty where there is no such record."""
    record: Any = admin.get_object(request, unquote(object_id))
    if record is None or not admin.has_view_permission(request, record):
        return {}
    below = request.GET.get("below", "")
    before = int(below) if below.isascii() and below.isdigit() and len(below) < 19 else None
    items, more = history(
        record, admin.opened(request, record), limit=LENGTH, below=before, url=entry_url(admin, request)
    )
    return {
        "lifecycle_history": items,
        "lifecycle_footer": footer(record, items),
        "lifecycle_older": items[-1].entry.sequence if more else None,
        "lifecycle_newest": before is not None,
        "lifecycle_log_url": log_url(admin, request, record),
    }
