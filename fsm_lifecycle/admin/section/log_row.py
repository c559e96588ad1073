"""Owns an entry as a row of a list: what each of its parts is called and where it leads.

Must not know which page has the list.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.admin.utils import quote
from django.utils import timezone

from fsm_lifecycle.admin.section.links import list_of_records
from fsm_lifecycle.admin.section.log_filter import name_of
from fsm_lifecycle.admin.section.page import url_of
from fsm_lifecycle.admin.section.seen import Seen
from fsm_lifecycle.engine.visible_log import Sight, owners
from fsm_lifecycle.ledger.entry import TransitionLog
from fsm_lifecycle.presentation.badges import Badge, badge
from fsm_lifecycle.presentation.people import Who, approver, names_of, who_did
from fsm_lifecycle.presentation.timeline import AT_THE_TIME, caused_by, what_happened


@dataclass(frozen=True, slots=True)
class Row:
    """One entry."""

    entry: TransitionLog
    record: str
    """What its record is called: by its name where the user may read it, else by the model's and the key."""
    url: str
    """Its own page."""
    local: datetime
    """When it was recorded, in the current time zone."""
    record_url: str
    """Its record's page; empty where there is none or the user may not see it."""
    what: str
    source: Badge | None
    target: Badge | None
    who: Who
    cause: str = ""
    cause_url: str = ""
    approved: str = ""
    """Who approved it, where somebody had to."""

    @property
    def recorded_at(self) -> datetime:
        """When it was recorded."""
        return self.entry.recorded_at

    @property
    def iso(self) -> str:
        """The same for machines."""
        return self.local.isoformat()

    @property
    def clock(self) -> str:
        """The time of the day. Made here, because a page has many, and templates take their time with them."""
        at = self.local
        return f"{at.hour:02}:{at.minute:02}:{at.second:02}"

    @property
    def hash(self) -> str:
        """The beginning of its hash."""
        return str(self.entry.entry_hash[:8])

    @property
    def notes(self) -> bool:
        """Whether there is more to say of it."""
        return bool(self.approved or self.cause or self.entry.compensating or self.happened)

    @property
    def happened(self) -> datetime | None:
        """When it happened, where it was recorded at another time."""
        at = self.entry.happened_at
        return at if abs(self.entry.recorded_at - at) >= AT_THE_TIME else None

    @property
    def is_today(self) -> bool:
        """Whether that was today, in the current time zone."""
        return self.local.date() == timezone.localdate()


def rows_of(entries: Sequence[TransitionLog], site: AdminSite, sight: Sight, seen: Seen) -> list[Row]:
    """Entries as rows. So many statements as there are models among them, and two for causes and people."""
    models = {model._lifecycle.label: model for model in owners()}
    records = seen.records((entry.model_label, entry.object_pk) for entry in entries)
    causes, names = _causes(entries, sight), names_of(entries)
    # One address is looked up for each kind of page, not one for each row.
    log_url, lists = url_of(site, "log"), {}
    for record in records.values():
        if type(record) not in lists:
            lists[type(record)] = list_of_records(site, type(record))
    made = []
    for entry in entries:
        model = models.get(entry.model_label)
        record = records.get((entry.model_label, entry.object_pk))
        cause = causes.get(entry.cause or "")
        made.append(
            Row(
                entry=entry,
                record=_called(entry, model, record),
                local=timezone.localtime(entry.recorded_at),
                url=f"{log_url}{entry.pk}/",
                record_url=_page_of(record, lists),
                what=what_happened(None if model is None else model._lifecycle, entry),
                source=_badge(model, entry.from_state),
                target=_badge(model, entry.to_state),
                who=who_did(entry, names),
                cause=caused_by(entry, cause),
                cause_url="" if cause is None else f"{log_url}{cause.pk}/",
                approved=approver(entry, names),
            )
        )
    return made


def _called(entry: TransitionLog, model: Any, record: Any) -> str:
    kind = entry.model_label if model is None else name_of(model)
    if record is None:
        return f"{kind} {entry.object_pk}"
    name = str(record)
    return name if name.lower().startswith(kind.lower()) else f"{kind} {name}"


def _page_of(record: Any, lists: dict[Any, str]) -> str:
    """The address of a record's own page, from that of its list."""
    if record is None or not lists[type(record)]:
        return ""
    return f"{lists[type(record)]}{quote(record.pk)}/change/"


def _causes(entries: Iterable[TransitionLog], sight: Sight) -> dict[str, TransitionLog]:
    wanted = sorted({entry.cause for entry in entries if entry.cause})
    if not wanted:
        return {}
    return {one.entry_hash: one for one in sight.entries(TransitionLog.objects.filter(entry_hash__in=wanted))}


def _badge(model: Any, state: str | None) -> Badge | None:
    if not state:
        return None
    return (
        Badge(state, state, "active", known=False) if model is None else badge(model._lifecycle.table, state)
    )
