"""Lengths of time, values and names as people read them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from fsm_lifecycle.diagrams.glyphs import GLYPHS
from fsm_lifecycle.presentation.durations import in_words
from fsm_lifecycle.presentation.marks import ICONS, glyph, icon
from fsm_lifecycle.presentation.opened import Opened
from tests.testapp.models import Invoice
from tests.testapp.offices import Appeal, Filing

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (timedelta(days=1308), "3 years 6 months"),
        (timedelta(days=366), "1 year"),
        (timedelta(days=310), "10 months"),
        (timedelta(days=40), "1 month"),
        (timedelta(days=3, hours=5), "3 days"),
        (timedelta(hours=4, minutes=59), "4 hours"),
        (timedelta(minutes=41), "41 minutes"),
        (timedelta(seconds=1), "1 second"),
        (timedelta(0), "0 seconds"),
        (timedelta(seconds=-5), "0 seconds"),
        (timedelta(days=365 * 1200), "1,199 years"),
    ],
)
def test_a_length_of_time(length: timedelta, words: str) -> None:
    assert in_words(length) == words


def test_only_opened_fields_are_shown_by_name_or_by_column() -> None:
    opened = Opened.of(Invoice, ["client_name", "not a field", lambda record: record])
    assert opened.shows("client_name")
    assert not opened.shows("amount")
    assert not opened.shows("created_by")
    assert not opened.shows("created_by_id")
    assert opened.shows("a name that is no field")
    assert not Opened.nothing(Invoice).shows("client_name")


def test_a_snapshot_shows_opened_fields_and_no_name_that_is_no_field() -> None:
    opened = Opened.of(Filing, ["title"])
    assert opened.shows_field("title")
    for name in ("created_by_id", "a field that is gone", "advice"):
        assert not opened.shows_field(name)


def test_a_childs_fields_are_not_shown_as_arguments_of_its_parents() -> None:
    assert not Opened.of(Filing, ["title"]).shows("advice")
    assert Opened.of(Appeal, ["advice"]).shows("advice")


def test_what_hides_a_value_hides_it_inside_others() -> None:
    opened = Opened.of(Invoice, ["client_name"])
    given = {"client_name": "Ada", "lines": [{"amount": 1, "note": {"created_by_id": 2, "text": "x"}}]}
    assert opened.inside(given) == {"client_name": "Ada", "lines": [{"note": {"text": "x"}}]}
    assert opened.inside("amount") == "amount"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "none"),
        ("", "none"),
        (True, "yes"),
        (False, "no"),
        (0, "0"),
        ([1, "a"], "1, a"),
        ([], "none"),
        ({"a": {"b": [1, 2]}}, "a: b: 1, 2"),
    ],
)
def test_a_value(value: object, words: str) -> None:
    assert Opened.nothing(Invoice).text("extra", value) == words


def test_drawings_are_whole_svg_without_style() -> None:
    for drawing in [glyph(tone) for tone in GLYPHS] + [icon(name) for name in ICONS]:
        assert drawing.startswith("<svg ")
        assert drawing.endswith("</svg>")
        assert "style" not in drawing
    assert glyph("never heard of") == glyph("active")
    with pytest.raises(KeyError):
        icon("never heard of")
