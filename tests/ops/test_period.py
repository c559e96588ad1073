"""Periods: what belongs to them, and how they are called."""

from datetime import datetime

import pytest

from fsm_lifecycle.ops.period import Period
from tests.ops.clock import at

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    ("name", "since", "until"),
    [
        ("2026", at(2026, 1, 1), at(2027, 1, 1)),
        ("2026-02", at(2026, 2, 1), at(2026, 3, 1)),
        ("2026-02-28", at(2026, 2, 28), at(2026, 3, 1)),
        ("2025-10..2025-12", at(2025, 10, 1), at(2026, 1, 1)),
        ("2026-01-30..2026-02", at(2026, 1, 30), at(2026, 3, 1)),
        ("2026-01-01T08:00..2026-01-01T09:30", at(2026, 1, 1, 8), at(2026, 1, 1, 9, 30)),
    ],
)
def test_a_name_takes_in_all_that_it_names(name: str, since: datetime, until: datetime) -> None:
    assert Period.named(name) == Period(since, until)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "..",
        "2026..",
        "..2026",
        "2026-02..2026-01",
        "last week",
        "2026-01-01T08:00",
        "2026..2025",
        "2026...2027",
    ],
)
def test_what_is_no_period_is_refused(name: str) -> None:
    with pytest.raises(ValueError):
        Period.named(name)


def test_since_and_until_take_in_the_first_and_the_last_day() -> None:
    assert Period.between("2026-01-10", "2026-01-20") == Period(at(2026, 1, 10), at(2026, 1, 21))
    assert Period.between("2026-01-10", "2026-01-10") == Period(at(2026, 1, 10), at(2026, 1, 11))
    assert Period.between(until="2026-01") == Period(None, at(2026, 2, 1))
    assert Period.between() == Period()


@pytest.mark.parametrize(
    ("period", "words"),
    [
        (Period(), "all time"),
        (Period.named("2026-02"), "1 Feb 2026 to 28 Feb 2026"),
        (Period.named("2026-02-03"), "3 Feb 2026"),
        (Period(at(2026, 2, 3)), "3 Feb 2026 until now"),
        (Period(None, at(2026, 3, 1)), "the beginning to 28 Feb 2026"),
        (Period(at(2026, 2, 3, 8), at(2026, 2, 4)), "3 Feb 2026, 08:00 until 4 Feb 2026"),
        (Period(at(2026, 2, 3), at(2026, 2, 3, 9, 30, 5)), "3 Feb 2026 until 3 Feb 2026, 09:30:05"),
    ],
)
def test_it_is_called_by_the_days_that_belong_to_it(period: Period, words: str) -> None:
    assert str(period) == words
