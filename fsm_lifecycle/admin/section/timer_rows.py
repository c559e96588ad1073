"""Owns timers as rows of a list: what fires by itself next, on which record, and when. Lists the next few alone.

Must not know how a timer is set or fired.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from fsm_lifecycle.admin.section.page import Page
from fsm_lifecycle.admin.section.retention import kind_of
from fsm_lifecycle.admin.section.seen import Seen, url_of_record
from fsm_lifecycle.engine.visible_log import owners
from fsm_lifecycle.timers import waiting

#: How many timers are listed.
TIMERS: Final = 10


def timer_rows(page: Page, using: str, now: datetime) -> list[dict[str, Any]]:
    """The timers that are due, and those that come next."""
    found = list(waiting(using)[:TIMERS])
    records = Seen(page.request.user, using).records((one.model_label, one.object_pk) for one in found)
    return [
        {
            "timer": one,
            "what": _label(one.model_label, one.event),
            "name": kind_of(one.model_label),
            "url": _url(page, records.get((one.model_label, one.object_pk))),
            "due": one.due_at <= now,
            "deferred": one.fires_at is not None and one.due_at > one.fires_at and one.refused_at is None,
        }
        for one in found
    ]


def _url(page: Page, record: Any) -> str:
    return url_of_record(page._site, record) if record is not None else ""


def _label(model_label: str, name: str) -> str:
    model = next((one for one in owners() if one._lifecycle.label == model_label), None)
    event = model._lifecycle.table.events.get(name) if model is not None else None
    return str(event.label) if event is not None else name
