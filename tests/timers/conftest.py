"""Owns what every test of timers begins with: a clock that stands, and nobody who acts but the tests."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import time_machine

from fsm_lifecycle import System
from tests.testapp.clocks import CLOSED

#: A Monday.
START = datetime(2026, 11, 30, 10, tzinfo=UTC)
TESTER = System("test")


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    CLOSED.clear()
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller
