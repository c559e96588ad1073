"""Owns what a record's own page shows of its lifecycle: the panel, the path it took, and its newest entries.

Must not know the form of its fields.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.admin.utils import quote
from django.db import DEFAULT_DB_ALIAS
from django.http import HttpRequest
from django.urls import NoReverseMatch

from fsm_lifecycle import diagrams
from fsm_lifecycle.admin.section.page import url_of
from fsm_lifecycle.engine.binding import SEQUENCE
from fsm_lifecycle.models import LogLeaf, TransitionLog
from fsm_lifecycle.presentation.badges import badge
from fsm_lifecycle.presentation.panel import panel
from fsm_lifecycle.presentation.timeline import Item, history

if TYPE_CHECKING:
    from fsm_lifecycle.admin.model_admin.lifecycle_admin import LifecycleAdmin

#: So many transitions of a record are drawn; one that has gone round more often is shown from its newest on.
DRAWN = 60

#: How wide the drawing may be, in pixels, before it runs from top to bottom.
WIDTH = 900

#: An event with the states it led from and to.
Step = tuple[str | None, str | None, str | None]


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
        record, admin.opened(request, record), limit=admin.history_length, url=entry_url(admin, request)
    )
    # Who led it to its state, not who let it stay there.
    by = next((item.who for item in items if item.target and item.source != item.target), None)
    steps = _steps(record)
    shown = panel(
        record, request.user, lambda event: admin.url("event", object_id, event.name), by, admin.events()
    )
    return {
        "lifecycle_panel": shown,
        "lifecycle_history": items,
        "lifecycle_more": more,
        "lifecycle_footer": footer(record, items),
        "lifecycle_path": [badge(admin.binding.table, state) for state in _states(record, steps)],
        "lifecycle_diagram": diagram(record, steps, [one.name for one in shown.offered]),
        "lifecycle_log_url": log_url(admin, request, record),
    }


def diagram(record: Any, steps: list[Step], possible: list[str]) -> str:
    """The lifecycle with the path this record took and what it may do now."""
    binding = type(record)._lifecycle
    name = f"Path of {binding.describe(record)[:1].lower()}{binding.describe(record)[1:]}"
    return diagrams.svg(
        type(record),
        path=[(event or "", source or "", target or "") for event, source, target in steps],
        current=getattr(record, binding.state_name),
        possible=possible,
        title=name,
        width=WIDTH,
    )


def _steps(record: Any) -> list[Step]:
    """A record's transitions, oldest first."""
    moves = record.log.filter(kind="transition").order_by("-sequence")
    return list(reversed(moves.values_list("event", "from_state", "to_state")[:DRAWN]))


def _states(record: Any, steps: list[Step]) -> list[str]:
    """The states the record went through, in order."""
    if not steps:
        return [getattr(record, type(record)._lifecycle.state_name)]
    return [steps[0][1] or "", *(target or "" for _, _, target in steps)]


def footer(record: Any, items: list[Item]) -> str:
    """How many entries there are, and how far they are sealed."""
    number = getattr(record, SEQUENCE)
    words = f"{number:,} entr{'y' if number == 1 else 'ies'}. Newest first."
    shown = {item.entry.pk: item.entry.sequence for item in items}
    using = record._state.db or "default"
    sealed = LogLeaf.objects.using(using).filter(entry_id__in=list(shown)).values_list("entry_id", flat=True)
    highest = max((shown[key] for key in sealed), default=0)
    if not shown or not highest:
        return f"{words} Not sealed yet."
    if highest == max(shown.values()):
        return f"{words} All sealed."
    return f"{words} Sealed up to entry {highest:,}."


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
        return f"{url_of(admin.admin_site, 'log')}?model={admin.binding.label}&record={record.pk}"
    except NoReverseMatch:
        return ""


def _in_section(row: Any) -> bool:
    """Whether the section shows the database a row is in: it shows the default one."""
    return row._state.db in (None, DEFAULT_DB_ALIAS)
