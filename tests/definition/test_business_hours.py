"""Business hours: when they are open, when they open next, and what a person is told."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from unittest import mock

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from fsm_lifecycle import BusinessHours
from fsm_lifecycle.definition.guards import as_guard

pytestmark = pytest.mark.pure


def at(text: str) -> datetime:
    """A moment in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def opens(hours: BusinessHours, text: str) -> str:
    found = hours.next_open(at(text))
    assert found is not None
    return f"{found.astimezone(UTC):%Y-%m-%d %H:%M}"


SINGAPORE = BusinessHours("Asia/Singapore", days="mon-fri", start="09:00", end="17:00")


# 2026-11-30 is a Monday; Singapore is 8 hours ahead.
@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-11-30 01:00", "2026-11-30 01:00"),
        ("2026-11-30 00:59:59", "2026-11-30 01:00"),
        ("2026-11-30 08:59", "2026-11-30 08:59"),
        ("2026-11-30 09:00", "2026-12-01 01:00"),
        ("2026-12-04 09:00", "2026-12-07 01:00"),
        ("2026-12-05 12:00", "2026-12-07 01:00"),
    ],
)
def test_it_opens_at_the_first_minute_and_closes_at_the_last(moment: str, expected: str) -> None:
    assert opens(SINGAPORE, moment) == expected
    assert SINGAPORE.is_open(at(moment)) is (moment == expected)


def test_a_person_is_told_when_it_opens_next() -> None:
    hours = BusinessHours("Asia/Singapore", clock=lambda: at("2026-12-04 10:00"))
    assert hours(None) == "Closed now. Opens Monday, 7 Dec 2026, 09:00 (Asia/Singapore)."
    hours.clock = lambda: at("2026-12-04 08:00")
    assert hours(None) is True


def test_it_goes_by_the_clock_of_django() -> None:
    with mock.patch("django.utils.timezone.now", return_value=at("2026-12-04 08:00")):
        assert SINGAPORE(None) is True
    with time_machine.travel(at("2026-12-05 08:00"), tick=False):
        assert SINGAPORE(None) is not True


def test_it_is_a_guard_with_a_name() -> None:
    found = as_guard(SINGAPORE)
    assert (found.name, found.fault, found.takes_firing) == ("business_hours", "", False)
    assert as_guard(BusinessHours("UTC", name="desk", label="Is the desk open")).label == "Is the desk open"


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        ("mon-fri", {0, 1, 2, 3, 4}),
        ("sat-mon", {5, 6, 0}),
        ("Mon, wed,fri-sun", {0, 2, 4, 5, 6}),
        ("thursday", {3}),
        ([0, "tue"], {0, 1}),
    ],
)
def test_days_are_read_as_people_write_them(days: Any, expected: set[int]) -> None:
    assert BusinessHours("UTC", days=days).days == expected


@pytest.mark.parametrize(
    "holidays",
    [
        [date(2026, 12, 25), date(2026, 12, 28)],
        ["2026-12-25", datetime(2026, 12, 28, 12, tzinfo=UTC)],
        lambda day: day in (date(2026, 12, 25), date(2026, 12, 28)),
        {date(2026, 12, 25): "Christmas", date(2026, 12, 28): "Boxing Day"},
    ],
    ids=["dates", "texts", "a function", "a calendar"],
)
def test_it_does_not_open_on_holidays(holidays: Any) -> None:
    hours = BusinessHours("UTC", holidays=holidays)
    assert opens(hours, "2026-12-24 17:00") == "2026-12-29 09:00"


def test_a_night_shift_belongs_to_the_day_it_begins_on() -> None:
    night = BusinessHours("UTC", days="fri", start="22:00", end="06:00", holidays=["2026-12-11"])
    assert night.is_open(at("2026-12-04 23:00"))
    assert night.is_open(at("2026-12-05 05:59"))
    assert not night.is_open(at("2026-12-05 06:00"))
    assert opens(night, "2026-12-05 06:00") == "2026-12-18 22:00"


def test_the_end_of_the_day_is_24_hours() -> None:
    hours = BusinessHours("UTC", days="mon-tue", start="20:00", end="24:00")
    assert hours.is_open(at("2026-11-30 23:59"))
    assert opens(hours, "2026-12-01 00:00") == "2026-12-01 20:00"
    always = BusinessHours("UTC", days="mon-sun", start="00:00", end="24:00")
    assert all(always.is_open(at("2026-11-30 00:00") + timedelta(hours=n)) for n in range(200))


def test_the_clock_on_the_wall_counts_whatever_the_season() -> None:
    rome = BusinessHours("Europe/Rome", days="mon-sun", start="09:00", end="17:00")
    assert opens(rome, "2027-03-27 00:00") == "2027-03-27 08:00"
    assert opens(rome, "2027-03-28 00:00") == "2027-03-28 07:00"  # the clock goes forward that night
    assert opens(rome, "2026-10-24 00:00") == "2026-10-24 07:00"
    assert opens(rome, "2026-10-25 00:00") == "2026-10-25 08:00"  # and back


def test_a_time_that_the_clock_skips_is_as_late_as_without_the_change() -> None:
    early = BusinessHours("America/New_York", days="sun", start="02:30", end="04:00")
    assert opens(early, "2027-03-14 00:00") == "2027-03-14 07:30"
    assert early.is_open(at("2027-03-14 07:59"))
    assert not early.is_open(at("2027-03-14 08:00"))  # 04:00 in summer time


def test_of_an_hour_that_comes_twice_the_first_counts() -> None:
    early = BusinessHours("America/New_York", days="sun", start="01:00", end="01:30")
    assert opens(early, "2026-11-01 00:00") == "2026-11-01 05:00"
    assert not early.is_open(at("2026-11-01 06:15"))


def test_what_never_opens_again_says_so() -> None:
    closed = BusinessHours("UTC", holidays=lambda day: True)
    assert closed.next_open(at("2026-12-01 10:00")) is None
    assert closed(None) == "Closed now, and no day is known on which it opens."


@pytest.mark.parametrize(
    ("kwargs", "names"),
    [
        ({"zone": "Mars/Olympus"}, "Mars/Olympus"),
        ({"days": "mon-frei"}, "frei"),
        ({"days": ""}, "weekday"),
        ({"days": []}, "names no day"),
        ({"days": [7]}, "7"),
        ({"start": "9 o'clock"}, "start"),
        ({"start": "24:00"}, "next day"),
        ({"start": "09:00", "end": "09:00"}, "never open"),
        ({"holidays": ["Christmas"]}, "Christmas"),
        ({"holidays": "2026-12-25"}, "holidays"),
    ],
)
def test_what_cannot_be_read_is_named(kwargs: dict[str, Any], names: str) -> None:
    with pytest.raises(ValueError, match=names):
        BusinessHours(**{"zone": "UTC", **kwargs})


@given(
    stamp=st.integers(1_577_836_800, 2_051_222_400),
    zone=st.sampled_from(["UTC", "Europe/Rome", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]),
    start=st.times(),
    end=st.times(),
    days=st.sets(st.integers(0, 6), min_size=1),
)
def test_the_next_opening_is_open_and_nothing_before_it_is(
    stamp: int, zone: str, start: time, end: time, days: set[int]
) -> None:
    if start == end:
        return
    hours = BusinessHours(zone, days=days, start=start, end=end)
    moment = datetime.fromtimestamp(stamp, UTC)
    opening = hours.next_open(moment)
    if opening is None:
        return
    assert hours.is_open(opening)
    assert opening >= moment
    for share in (0.0, 0.3, 0.7, 0.999):
        between = moment + (opening - moment) * share
        assert between == opening or not hours.is_open(between)
