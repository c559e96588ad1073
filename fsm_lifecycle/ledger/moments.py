"""Owns how a person writes a moment or a period: a year, a month, a day, a time. All in UTC, as the log is.

Must not know what is looked up by it.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta

FORMS = "2026, 2026-01, 2026-01-15 or 2026-01-15T17:30"

_is_year = re.compile(r"\d{4}", re.ASCII).fullmatch
_is_month = re.compile(r"\d{4}-\d{2}", re.ASCII).fullmatch
_is_day = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII).fullmatch


def span(text: str) -> tuple[datetime, datetime]:
    """The first moment of what ``text`` names, and the first one after it. A time is a span of no length.

    Without an offset a time is in UTC. Raises ``ValueError`` naming the forms there are.
    """
    try:
        if _is_year(text):
            year = int(text)
            return _midnight(date(year, 1, 1)), _midnight(date(year + 1, 1, 1))
        if _is_month(text):
            year, month = int(text[:4]), int(text[5:])
            following = date(year + month // 12, month % 12 + 1, 1)
            return _midnight(date(year, month, 1)), _midnight(following)
        if _is_day(text):
            day = date.fromisoformat(text)
            return _midnight(day), _midnight(day + timedelta(days=1))
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=UTC) if moment.utcoffset() is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"“{text:.40}” is no date and no time. Write {FORMS} (UTC).") from None
    return moment, moment


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
