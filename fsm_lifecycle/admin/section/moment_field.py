"""Owns how a person writes a moment in a filter: a year, a month, a day, or a day with a time, in the site's time zone.

Must not know what is filtered.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from django import forms
from django.utils import timezone

from fsm_lifecycle.ledger.entry import FIRST_MOMENT, LAST_MOMENT

FORMS: Final = "2026, 2026-11, 2026-11-01, 1 Nov 2026 or 2026-11-01 17:30"

_DAYS: Final = ("%Y-%m-%d", "%d %b %Y", "%d %B %Y", "%d.%m.%Y")
_MONTHS: Final = ("%Y-%m", "%b %Y", "%B %Y")
_TIMES: Final = ("%H:%M", "%H:%M:%S")


class MomentField(forms.CharField):
    """A moment: the first of what is named, or with ``end`` the first after it, so that an end takes its day in."""

    def __init__(self, *, end: bool = False, **kwargs: Any) -> None:
        super().__init__(max_length=40, required=False, **kwargs)
        self.end = end

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text:
            return None
        try:
            first, after = _span(" ".join(text.replace(",", " ").split()))
            moment = (after if self.end else first).astimezone(UTC)
        except (ValueError, OverflowError):
            raise forms.ValidationError(f"This is no date. Write {FORMS}.") from None
        if not FIRST_MOMENT <= moment <= LAST_MOMENT:
            raise forms.ValidationError(
                f"The log holds the years {FIRST_MOMENT.year} to {LAST_MOMENT.year}. Write one of these."
            )
        return moment


def _span(text: str) -> tuple[datetime, datetime]:
    """The first moment of what is written, and the first after it. Raises ``ValueError``, ``OverflowError``."""
    if len(text) == 4 and text.isascii() and text.isdigit():
        return _midnight(date(int(text), 1, 1)), _midnight(date(int(text) + 1, 1, 1))
    for form in _MONTHS:
        if found := _read(text, form):
            following = (found.replace(day=1) + timedelta(days=32)).replace(day=1)
            return _midnight(found.date()), _midnight(following.date())
    for form in _DAYS:
        if found := _read(text, form):
            return _midnight(found.date()), _midnight(found.date() + timedelta(days=1))
        for clock in _TIMES:
            if found := _read(text, f"{form} {clock}"):
                step = timedelta(minutes=1) if clock == "%H:%M" else timedelta(seconds=1)
                return timezone.make_aware(found), timezone.make_aware(found + step)
    moment = datetime.fromisoformat(text)
    if timezone.is_naive(moment):
        moment = timezone.make_aware(moment)
    return moment, moment


def _read(text: str, form: str) -> datetime | None:
    try:
        return datetime.strptime(text, form)  # noqa: DTZ007 - the caller gives it the site's zone
    except ValueError:
        return None


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time()))
