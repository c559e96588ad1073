"""Owns pages of the log that cost the same however long it is, whatever is looked for.

Entries are walked in the order of time. What cannot be found through an index is looked for among so many entries at
a time (``WINDOW``); where these are not enough for a page, it says how far it looked, and the next one goes on from
there. Must not know what is looked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.db.models import Q

from fsm_lifecycle.ledger.entry import TransitionLog, TransitionLogQuerySet

SIZE: Final = 30
#: So many entries at most are looked at for one page.
WINDOW: Final = 20_000

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LARGEST: Final = 2**63 - 1

#: A place in the log: an entry's time and key.
Place = tuple[datetime, int]


@dataclass(frozen=True, slots=True)
class Window:
    """One page of entries, newest first."""

    rows: list[TransitionLog]
    newest: bool
    """Whether it begins at the newest entry there is."""
    newer: str = ""
    """What ``after`` has to be for the page of newer ones; empty where there is none."""
    older: str = ""
    """What ``before`` has to be for the page of older ones; empty where there is none."""
    looked_to: datetime | None = None
    """How far was looked, where the page could not be filled and there are entries beyond."""


def window(
    found: TransitionLogQuerySet,
    walked: TransitionLogQuerySet | None,
    *,
    before: Place | None = None,
    after: Place | None = None,
    size: int = SIZE,
    below: datetime | None = None,
) -> Window:
    """A page of what is found.

    ``walked``: all entries among which it is looked for, of which only so many are taken; ``None`` where an index
    leads to what is found. ``before`` and ``after``: where the page begins or ends; ``before`` goes first. ``below``:
    what is found is known to be recorded before that, so that the walk begins there.
    """
    upwards = before is None and after is not None
    place = after if upwards else before
    sign = "" if upwards else "-"
    order = (f"{sign}recorded_at", f"{sign}id")
    if place is not None:
        found = found.filter(_beyond(place, "gt" if upwards else "lt"))
    end: Place | None = None
    if below is not None and not upwards:
        found = found.filter(recorded_at__lt=below)
    if walked is not None:
        if below is not None and not upwards:
            walked = walked.filter(recorded_at__lt=below)
        if place is not None:
            walked = walked.filter(_beyond(place, "gt" if upwards else "lt"))
        walk = walked.order_by(*order).values_list("recorded_at", "id")
        edge = list(walk[WINDOW - 1 : WINDOW + 1])
        if len(edge) > 1:
            end = edge[0]
            found = found.filter(_until(end, "lt" if upwards else "gt"))
    rows = list(found.order_by(*order)[: size + 1])
    more = len(rows) > size
    rows = rows[:size]
    beyond = _write(rows[-1].recorded_at, rows[-1].pk) if more else _write(*end) if end else ""
    looked_to = end[0] if end and not more else None
    if upwards:
        rows.reverse()
        assert place is not None
        back = _write(rows[-1].recorded_at, rows[-1].pk) if rows else _write(place[0], place[1] + 1)
        return Window(rows, newest=False, newer=beyond, older=back, looked_to=looked_to)
    forth = ""
    if place is not None:
        forth = _write(rows[0].recorded_at, rows[0].pk) if rows else _write(place[0], max(place[1] - 1, 0))
    return Window(rows, newest=place is None, newer=forth, older=beyond, looked_to=looked_to)


def _beyond(place: Place, way: str) -> Q:
    """What lies beyond a place. Written so that the index serves it: the naive form scans."""
    moment, key = place
    return Q(**{f"recorded_at__{way}e": moment}) & (
        Q(**{f"recorded_at__{way}": moment}) | Q(**{f"id__{way}": key})
    )


def _until(place: Place, way: str) -> Q:
    """What lies before a place, and the place itself."""
    moment, key = place
    return Q(**{f"recorded_at__{way}e": moment}) & (
        Q(**{f"recorded_at__{way}": moment}) | Q(**{f"id__{way}e": key})
    )


def _write(moment: datetime, key: int) -> str:
    return f"{(moment - _EPOCH) // timedelta(microseconds=1)}.{key}"


def read_place(text: Any) -> Place | None:
    """The place that an address names; ``None`` for anything that is none."""
    moment, _, key = str(text)[:60].partition(".")
    digits = moment.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and key.isascii() and key.isdigit()):
        return None
    # Beyond 2^53 microseconds no entry can be.
    if len(digits) > 16 or len(key) > 19 or int(key) > _LARGEST:
        return None
    return _EPOCH + timedelta(microseconds=int(moment)), int(key)
