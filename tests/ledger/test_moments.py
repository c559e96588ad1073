"""How a person writes a moment or a period."""

from datetime import UTC, datetime

import pytest

from fsm_lifecycle.ledger.moments import span

pytestmark = pytest.mark.once


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type,misc]


@pytest.mark.parametrize(
    ("text", "first", "after"),
    [
        ("2026", at(2026, 1, 1), at(2027, 1, 1)),
        ("2026-01", at(2026, 1, 1), at(2026, 2, 1)),
        ("2026-12", at(2026, 12, 1), at(2027, 1, 1)),
        ("2028-02-29", at(2028, 2, 29), at(2028, 3, 1)),
        ("2026-12-31", at(2026, 12, 31), at(2027, 1, 1)),
    ],
)
def test_a_year_a_month_and_a_day_name_all_of_it(text: str, first: datetime, after: datetime) -> None:
    assert span(text) == (first, after)


@pytest.mark.parametrize(
    "text", ["2026-01-15T17:30", "2026-01-15 17:30:00", "2026-01-15T17:30Z", "2026-01-15T19:30+02:00"]
)
def test_a_time_is_a_moment_in_utc_unless_it_says_otherwise(text: str) -> None:
    assert span(text) == (at(2026, 1, 15, 17, 30), at(2026, 1, 15, 17, 30))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2026-13",
        "2026-02-30",
        "0000",
        "9999",
        "2026-1",
        "٢٠٢٦",
        "12:00",
        "0001-01-01T00:00+09:00",
    ],
)
def test_anything_else_is_named_with_the_forms_there_are(text: str) -> None:
    with pytest.raises(ValueError, match="2026-01-15T17:30"):
        span(text)
