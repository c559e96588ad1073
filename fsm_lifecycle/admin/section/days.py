"""Owns lists in days: what happened on each, under one heading. Must not know what happened."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from itertools import groupby
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format


def by_day(rows: Iterable[Any], time: str = "recorded_at") -> list[tuple[str, list[Any]]]:
    """Rows in order, in pairs of heading and rows. The days are those of the current time zone."""

    def day(row: Any) -> date:
        moment = getattr(row, time)
        return (timezone.localtime(moment) if timezone.is_aware(moment) else moment).date()

    return [(_named(one), list(of_day)) for one, of_day in groupby(rows, day)]


def _named(day: date) -> str:
    text = date_format(day, "j M Y")
    today = timezone.localdate()
    return {today: f"Today, {text}", today - timedelta(days=1): f"Yesterday, {text}"}.get(day, text)
