"""Path data: round corners, arrowheads, and lines that end in their siblings."""

import pytest

from fsm_lifecycle.diagrams.strokes import head, number, stroke, until_joined

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("value", "text"), [(1, "1"), (1.04, "1"), (1.25, "1.2"), (-0.01, "0"), (-3.5, "-3.5"), (10.0, "10")]
)
def test_a_coordinate_has_one_decimal_at_most(value: float, text: str) -> None:
    assert number(value) == text


def test_a_corner_is_round() -> None:
    assert stroke([(0, 0), (0, 40), (40, 40)], 8) == "M0 0L0 32Q0 40 8 40L40 40"


def test_a_small_side_way_is_one_curve() -> None:
    assert stroke([(0, 0), (0, 40), (6, 40), (6, 80)], 8).count("C") == 1


def test_an_arrowhead_points_along_the_last_piece() -> None:
    data, rest = head([(0, 0), (0, 40)])
    assert data == "M0 40L-3.5 32L3.5 32Z"
    assert rest[-1] == (0, 34)


def test_a_line_ends_where_it_turns_into_its_sibling() -> None:
    trunk = [(0, 0), (0, 100)]
    assert until_joined([(-50, 0), (-50, 50), (0, 50), (0, 100)], [trunk], 8) == [
        (-50, 0),
        (-50, 50),
        (0, 50),
        (0, 59),
    ]


def test_a_line_ends_where_its_sibling_turns_in() -> None:
    joining = [(-50, 0), (-50, 50), (0, 50), (0, 100)]
    assert until_joined([(0, 0), (0, 100)], [joining], 8) == [(0, 0), (0, 50)]


def test_lines_to_different_ends_are_left_alone() -> None:
    line = [(0, 0), (0, 100)]
    assert until_joined(line, [[(0, 0), (0, 90)]], 8) is line
