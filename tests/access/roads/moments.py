"""Owns moments that come shortly or now, and waiting for them. Real times: the database asks its own clock, too."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from fsm_lifecycle import System
from fsm_lifecycle.access import grant_role
from fsm_lifecycle.models import Delegation, GrantTerm

WEEK = timedelta(days=7)


def soon() -> datetime:
    """A moment that comes shortly, and not before a slow machine has done what comes first."""
    return timezone.now() + timedelta(seconds=4)


def in_a_week() -> datetime:
    """A moment that does not come while a test runs."""
    return timezone.now() + WEEK


def passed(moment: datetime) -> None:
    """Wait until then."""
    while (left := (moment - timezone.now()).total_seconds()) >= -0.01:
        time.sleep(max(left, 0) + 0.01)


def close(one: datetime | None, other: datetime) -> bool:
    """Whether they are the same in whole milliseconds."""
    return one is not None and abs((one - other).total_seconds()) < 0.001


def has_come(end: datetime) -> None:
    """What ends then has ended now: moved there, so that a slow machine cannot miss it."""
    for rows in (GrantTerm, Delegation):
        rows._base_manager.filter(until=end).update(until=timezone.now())


def run_out(holder: Any, role: str, on: Any) -> None:
    """Grant it with a term that has ended."""
    end = in_a_week()
    assert grant_role(holder, role, on=on, by=System("tests"), until=end) is not None
    has_come(end)
