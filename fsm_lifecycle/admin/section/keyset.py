"""Owns pages of long lists, newest first: where each begins is named by its first row, so that none is counted.

Must not know what the rows are.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.db.models import Q, QuerySet
from django.http import QueryDict

#: How many rows a page has.
SIZE: Final = 50

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LARGEST: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Slice:
    """One page. The addresses are query strings; empty where there is no such page."""

    rows: list[Any]
    newest: str = ""
    newer: str = ""
    older: str = ""
    first: Any = None
    """The moment of the oldest row."""
    last: Any = None
    """The moment of the newest row."""

    @property
    def moves(self) -> bool:
        """Whether there is any other page."""
        return bool(self.newer or self.older)


def slice_of(
    queryset: QuerySet[Any],
    params: QueryDict,
    *,
    time: str = "recorded_at",
    size: int = SIZE,
    prefix: str = "",
) -> Slice:
    """The page that ``before`` or ``after`` in the query names; the newest one for anything unreadable.

    ``time``: the column rows are ordered by, before ``id``; empty where ``id`` alone orders them. ``prefix``: put
    before ``before`` and ``after`` where one page of the site holds two lists.
    """
    older_than = _read(params.get(f"{prefix}before", ""), time)
    newer_than = None if older_than else _read(params.get(f"{prefix}after", ""), time)
    order = (time, "id") if time else ("id",)
    if newer_than:
        found = list(queryset.filter(_beyond(newer_than, time, "gt")).order_by(*order)[: size + 1])
        more_newer, more_older = len(found) > size, True
        rows = found[:size][::-1]
    else:
        if older_than:
            queryset = queryset.filter(_beyond(older_than, time, "lt"))
        found = list(queryset.order_by(*(f"-{name}" for name in order))[: size + 1])
        more_newer, more_older = older_than is not None, len(found) > size
        rows = found[:size]

    def query(**cursor: str) -> str:
        changed = params.copy()
        for name in ("before", "after"):
            changed.pop(f"{prefix}{name}", None)
        for name, value in cursor.items():
            changed[f"{prefix}{name}"] = value
        return f"?{changed.urlencode()}"

    if not rows:
        return Slice([], newest=query() if older_than or newer_than else "")
    return Slice(
        rows,
        newest=query() if more_newer else "",
        newer=query(after=_write(rows[0], time)) if more_newer else "",
        older=query(before=_write(rows[-1], time)) if more_older else "",
        first=getattr(rows[-1], time) if time else None,
        last=getattr(rows[0], time) if time else None,
    )


def _beyond(cursor: tuple[Any, int], time: str, way: str) -> Q:
    """What lies beyond a row. Written so that the index serves it: the naive form scans."""
    moment, key = cursor
    if not time:
        return Q(**{f"id__{way}": key})
    return Q(**{f"{time}__{way}e": moment}) & (Q(**{f"{time}__{way}": moment}) | Q(**{f"id__{way}": key}))


def _write(row: Any, time: str) -> str:
    moment = (getattr(row, time) - _EPOCH) // timedelta(microseconds=1) if time else 0
    return f"{moment}.{row.pk}"


def _read(text: str, time: str) -> tuple[Any, int] | None:
    moment, _, key = text.partition(".")
    if not (
        moment.lstrip("-").isascii() and moment.lstrip("-").isdigit() and key.isascii() and key.isdigit()
    ):
        return None
    if len(text) > 45 or int(key) > _LARGEST:
        return None
    try:
        return (_EPOCH + timedelta(microseconds=int(moment)) if time else None), int(key)
    except OverflowError:
        return None
