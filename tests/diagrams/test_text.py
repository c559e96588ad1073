"""Widths and line breaks."""

import pytest

from fsm_lifecycle.diagrams.text import measurable, width, wrap

pytestmark = pytest.mark.pure


def test_a_width_grows_with_the_size() -> None:
    assert width("Draft", 26) == pytest.approx(2 * width("Draft", 13))


def test_a_bold_text_is_wider() -> None:
    assert width("Draft", 13, 700) > width("Draft", 13, 500) > width("Draft", 13)


def test_an_accent_takes_no_room() -> None:
    assert width("Ångström", 13) == width("Angstrom", 13)
    assert width("a\u0301", 13) == width("a", 13)


def test_what_is_written_in_squares_is_as_wide_as_it_is_high() -> None:
    assert width("審査", 10) == 20


def test_only_known_letters_are_measured() -> None:
    assert measurable("Überfällig – “now”")
    assert not measurable("مراجعة")
    assert not measurable("審査")


def test_lines_break_between_words_and_lose_none() -> None:
    lines = wrap("Waiting for the applicant’s documents", 13, 90)
    assert len(lines) > 1
    assert " ".join(lines) == "Waiting for the applicant’s documents"
    assert all(width(line, 13) <= 90 for line in lines)


def test_a_word_that_does_not_fit_keeps_a_line_to_itself() -> None:
    assert wrap(f"a {'w' * 70} b", 13, 90) == ["a", "w" * 70, "b"]
