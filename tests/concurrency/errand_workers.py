"""Owns a process that works on errands until it is killed at a chosen point. Must not know what it leaves."""

from __future__ import annotations

import sys

from tests.concurrency.crashing import _Countdown
from tests.concurrency.racers import join

#: Seconds of a lease: what a killed worker held is free soon.
LEASE = 0.4


def work_until_killed(database: str, points: int | None) -> None:
    """Work off the queue; with ``points``, kill this process at that point."""
    join(database)
    from django.conf import settings

    from fsm_lifecycle.dispatch import items, working
    from fsm_lifecycle.engine import bulk_errand

    bulk_errand.TRIES = 20  # type: ignore[misc]
    settings.FSM_LIFECYCLE = {"LEASE_SECONDS": LEASE, "DISPATCH": "command"}
    if points is not None:
        sys.settrace(_Countdown(points).trace)
    working.drain(items.QUEUE, "default")
    sys.settrace(None)
