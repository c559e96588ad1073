"""Owns the exports of the log: what its page shows, all of it, as CSV and as JSON, written while it is read.

Memory stays flat: entries are read in pages, and none is kept. Must not know what is filtered nor who sees what.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, ClassVar, Final

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse

from fsm_lifecycle.admin.section.log import VIEW_LOG, walked_by
from fsm_lifecycle.admin.section.log_filter import LogFilter
from fsm_lifecycle.admin.section.page import Page
from fsm_lifecycle.admin.section.windows import Place, read_place, window
from fsm_lifecycle.engine.visible_log import sight
from fsm_lifecycle.ledger.entry import TransitionLog, TransitionLogQuerySet
from fsm_lifecycle.presentation.people import who_did

COLUMNS: Final = (
    "recorded_at", "occurred_at", "model", "record", "sequence", "kind", "event", "from_state", "to_state",
    "compensating", "actor_kind", "actor_id", "actor", "cause", "entry_hash",
)  # fmt: skip
_PAGE: Final = 500
#: What makes a spreadsheet take a cell for a formula; also in their full-width forms.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")  # noqa: RUF001


class _Export(Page):
    permission = VIEW_LOG
    title = "Log"
    under = "log"
    kind: ClassVar[str]
    ending: ClassVar[str]

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        asked = LogFilter(request.GET)
        if not asked.is_valid():
            faults = [
                f"{asked.fields[name].label if name in asked.fields else 'Filter'}: {error}"
                for name, errors in asked.errors.items()
                for error in errors
            ]
            return HttpResponse(
                "\n".join([*faults, ""]), status=400, content_type="text/plain; charset=utf-8"
            )
        seen = sight(request.user)
        entries = _entries(seen.entries(asked.narrow(TransitionLog.objects.all())), walked_by(asked, seen))
        return StreamingHttpResponse(
            self.written(entries),
            content_type=self.kind,
            headers={
                "Content-Disposition": f'attachment; filename="log.{self.ending}"',
                "X-Content-Type-Options": "nosniff",
                "Cache-Control": "no-store",
            },
        )

    def written(self, entries: Iterator[TransitionLog]) -> Iterator[str]:
        """The file in parts."""
        raise NotImplementedError


class LogCSV(_Export):
    """The log as CSV. No cell is a formula."""

    name = "log_csv"
    route = "log/export.csv"
    kind = "text/csv; charset=utf-8"
    ending = "csv"

    def written(self, entries: Iterator[TransitionLog]) -> Iterator[str]:
        writer = csv.writer(_Echo())
        yield writer.writerow(COLUMNS)
        for entry in entries:
            yield writer.writerow([cell(value) for value in values_of(entry)])


class LogJSON(_Export):
    """The log as a JSON array of objects."""

    name = "log_json"
    route = "log/export.json"
    kind = "application/json"
    ending = "json"

    def written(self, entries: Iterator[TransitionLog]) -> Iterator[str]:
        between = "[\n"
        for entry in entries:
            yield between + json.dumps(dict(zip(COLUMNS, values_of(entry), strict=True)), ensure_ascii=False)
            between = ",\n"
        yield "\n]\n" if between == ",\n" else "[]\n"


class _Echo:
    """What a CSV writer writes to, and gets back as a part of the stream."""

    def write(self, value: str) -> str:
        return value


def values_of(entry: TransitionLog) -> tuple[Any, ...]:
    """An entry's values in the order of ``COLUMNS``. What stands in its body beside the actor's name stays out."""
    return (
        _moment(entry.recorded_at), _moment(entry.occurred_at), entry.model_label, entry.object_pk, entry.sequence,
        entry.kind, entry.event, entry.from_state, entry.to_state, entry.compensating, entry.actor_kind, entry.actor_id,
        who_did(entry).label, entry.cause, entry.entry_hash,
    )  # fmt: skip


def cell(value: Any) -> Any:
    """A value as a cell that no spreadsheet runs: an apostrophe stands before what could begin a formula.

    Blanks and line ends before it do not hide it: some programs strip them.
    """
    if value is None:
        return ""
    if not isinstance(value, str):
        return value
    bare = value.lstrip(" \n\v\f\u00a0\ufeff\0")
    return f"'{value}" if bare.startswith(_FORMULA) or value.startswith(_FORMULA) else value


def _moment(value: datetime | None) -> str | None:
    if value is None:
        return None
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _entries(found: TransitionLogQuerySet, walked: TransitionLogQuerySet | None) -> Iterator[TransitionLog]:
    """All that is found, newest first, read a page at a time."""
    before: Place | None = None
    while True:
        page = window(found, walked, before=before, size=_PAGE)
        yield from page.rows
        before = read_place(page.older)
        if before is None:
            return
