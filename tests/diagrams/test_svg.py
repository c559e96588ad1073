"""SVG, read back by a parser: what is drawn, how it is marked, and what must not be in it."""

import xml.etree.ElementTree as ET
from functools import cache
from itertools import combinations
from pathlib import Path

import pytest
from django.utils.safestring import SafeString

import fsm_lifecycle
from fsm_lifecycle.diagrams import svg
from fsm_lifecycle.diagrams.journey import Move
from tests.testapp.models import Invoice

from .cases import cases, drawn, named
from .lifecycles import TABLES
from .rendering import SVG, classed, number, parsed, points, size, texts, word

pytestmark = pytest.mark.pure

ALL = {**TABLES, **cases()}
LEAVE = TABLES["leave request"]
WAY: list[Move] = [
    ("submit", "draft", "submitted"),
    ("return_for_change", "submitted", "draft"),
    ("submit", "draft", "submitted"),
    ("approve", "submitted", "manager_approved"),
]
by_name = pytest.mark.parametrize("name", ALL)


@cache
def forms(name: str) -> list[ET.Element]:
    """A lifecycle in full, for a phone, and with a record on its way."""
    table = ALL[name]
    return [parsed(svg(table)), parsed(svg(table, narrow=True)), parsed(svg(table, current="draft"))]


@by_name
def test_everything_stays_on_the_page(name: str) -> None:
    for root in forms(name):
        wide, high = size(root)
        assert all(0 <= x <= wide and 0 <= y <= high for x, y in points(root))
        for text in root.iter(f"{SVG}text"):
            length = float(text.get("textLength", "0"))
            left = number(text, "x") - (length / 2 if text.get("text-anchor") == "middle" else 0)
            assert left >= 0
            assert left + length <= wide
            assert 0 < number(text, "y") <= high


@by_name
def test_a_name_stays_in_its_box(name: str) -> None:
    for root in forms(name):
        for node in classed(root, "node"):
            box = node.find(f"{SVG}rect")
            assert box is not None
            left, top = number(box, "x"), number(box, "y")
            for text in node.iter(f"{SVG}text"):
                end = number(text, "x") + float(text.get("textLength", "0"))
                assert left < number(text, "x") <= end < left + number(box, "width")
                assert top < number(text, "y") < top + number(box, "height")


@by_name
def test_every_state_and_event_is_said(name: str) -> None:
    root = forms(name)[0]
    assert sorted(word(node).strip() for node in classed(root, "node")) == sorted(
        " ".join(str(state.label).split()) for state in ALL[name].states.values()
    )
    said = " ".join(texts(root)).split()
    for event in ALL[name].events.values():
        assert set(str(event.label).split()) <= set(said)


@pytest.mark.parametrize("options", [{}, {"path": WAY, "current": "manager_approved"}, {"narrow": True}])
def test_inline_holds_under_a_strict_policy(options: dict[str, object]) -> None:
    """Under `default-src 'self'`: no style, no script, no handler, nothing from elsewhere."""
    root = parsed(svg(LEAVE, **options))  # type: ignore[arg-type]
    names = {element.tag.removeprefix(SVG) for element in root.iter()}
    assert names <= {"svg", "title", "desc", "path", "rect", "circle", "text", "g"}
    attributes = {name for element in root.iter() for name in element.attrib}
    assert not {a for a in attributes if a == "style" or a.startswith("on") or "href" in a}
    values = " ".join(v for element in root.iter() for v in element.attrib.values())
    assert "url(" not in values


def test_it_is_safe_in_a_template() -> None:
    assert isinstance(svg(LEAVE), SafeString)


def test_two_diagrams_on_a_page_share_no_id() -> None:
    page = [parsed(svg(LEAVE)), parsed(svg(LEAVE)), parsed(svg(TABLES["order"]))]
    ids = [e.get("id") for root in page for e in root.iter() if e.get("id")]
    assert len(ids) == len(set(ids)) == 6
    for root in page:
        assert root.get("aria-labelledby") == " ".join(e.get("id", "") for e in root.iter() if e.get("id"))
        assert root.get("role") == "img"


def test_a_state_has_the_class_and_the_drawing_of_its_tone() -> None:
    root = parsed(svg(Invoice))
    tones = {word(node): (node.get("class") or "").split()[1] for node in classed(root, "node")}
    assert tones == {state.label: f"t-{state.tone}" for state in Invoice.lifecycle.states.values()}
    drawings = {drawing_of(node) for node in classed(root, "node")}
    assert len(drawings) == len(set(tones.values()))


def drawing_of(node: ET.Element) -> bytes:
    """The small drawing of a node's tone."""
    group = node.find(f"{SVG}g")
    assert group is not None
    return b"".join(ET.tostring(child) for child in group)


def test_a_compensating_event_is_dotted() -> None:
    assert len(classed(parsed(svg(Invoice)), "edge", "is-compensating")) == 1


def test_each_initial_state_has_a_dot() -> None:
    assert len(classed(parsed(svg(TABLES["pull request"])), "start")) == 2


# A record's path


def test_the_path_is_solid_and_numbered() -> None:
    root = parsed(svg(LEAVE, path=WAY, current="manager_approved", possible=["confirm", "reject"]))
    assert sorted(word(turn) for turn in classed(root, "turn")) == ["1 · 3", "2", "4"]
    assert len(classed(root, "edge", "is-taken")) == 3
    assert len(classed(root, "edge", "is-next")) == 2
    assert "is-path" in (root.get("class") or "")
    assert [word(node) for node in classed(root, "node", "is-current")] == ["Manager approved"]
    visited = {word(n) for n in classed(root, "node")} - {word(n) for n in classed(root, "node", "is-idle")}
    assert visited == {"Draft", "Submitted", "Manager approved"}
    assert classed(root, "edge-label") == []


def test_a_source_that_was_not_taken_is_faint_beside_one_that_was() -> None:
    """Cancelled has four sources and one trunk: only the record's own way is solid."""
    root = parsed(svg(LEAVE, path=[("cancel", "submitted", "cancelled")], current="cancelled"))
    assert len(classed(root, "edge", "is-taken")) == 1
    assert [word(turn) for turn in classed(root, "turn")] == ["1"]


def test_a_way_back_to_the_same_state_is_numbered() -> None:
    root = parsed(svg(TABLES["order"], path=[("edit_items", "placed", "placed")] * 2, current="placed"))
    assert [word(turn) for turn in classed(root, "turn")] == ["1 · 2"]


def test_turns_stand_clear_of_states_and_of_each_other() -> None:
    for name, table in TABLES.items():
        path: list[Move] = [(t.event.name, t.source.value, t.target.value) for t in table.transitions] * 3
        for narrow in (False, True):
            root = parsed(svg(table, path=path, narrow=narrow))
            turns = [turn.find(f"{SVG}rect") for turn in classed(root, "turn")]
            boxes = [node.find(f"{SVG}rect") for node in classed(root, "node")]
            areas = [rectangle(e) for e in [*turns, *boxes] if e is not None]
            assert len(areas) == len(turns) + len(boxes)
            found = [
                (a, b)
                for a, b in combinations(areas, 2)
                if min(a[2], b[2]) - max(a[0], b[0]) > 0.1 and min(a[3], b[3]) - max(a[1], b[1]) > 0.1
            ]
            assert found == [], name


def rectangle(element: ET.Element) -> tuple[float, float, float, float]:
    """Left, top, right, bottom."""
    x, y = number(element, "x"), number(element, "y")
    return x, y, x + number(element, "width"), y + number(element, "height")


def test_a_renamed_event_is_known_by_where_it_led() -> None:
    root = parsed(svg(LEAVE, path=[("hand_in", "draft", "submitted")], current="submitted"))
    assert [word(turn) for turn in classed(root, "turn")] == ["1"]


def test_many_turns_are_told_in_short() -> None:
    path: list[Move] = [("pause", "active", "paused"), ("resume", "paused", "active")] * 40
    root = parsed(svg(TABLES["subscription"], path=path, current="active"))
    assert sorted(word(turn) for turn in classed(root, "turn")) == ["1…79", "2…80"]


def test_a_move_that_the_table_has_no_more_keeps_its_number() -> None:
    path: list[Move] = [("import", "", "draft"), ("submit", "draft", "submitted"), ("x", "submitted", "gone")]
    root = parsed(svg(LEAVE, path=path, current="submitted"))
    assert [word(turn) for turn in classed(root, "turn")] == ["2"]


def test_a_record_that_has_not_moved_is_drawn_too() -> None:
    root = parsed(svg(LEAVE, current="draft", possible=["submit"]))
    assert len(classed(root, "edge", "is-next")) == 1
    assert [word(node) for node in classed(root, "node", "is-current")] == ["Draft"]


def test_nothing_is_possible_in_a_state_that_is_unknown() -> None:
    root = parsed(svg(LEAVE, current="gone", possible=["submit"]))
    assert classed(root, "is-next") == classed(root, "is-current") == []


# Which way it runs


def test_it_runs_left_to_right_while_it_fits() -> None:
    wide, high = size(parsed(svg(LEAVE)))
    assert high < wide <= 1110
    assert high < size(parsed(svg(LEAVE, width=870)))[0] <= 870 * 12 / 11
    wide, high = size(parsed(svg(LEAVE, width=600)))
    assert wide < high
    assert wide < 600
    assert size(parsed(svg(LEAVE, direction="LR", width=600)))[0] > 600
    assert size(parsed(svg(LEAVE, direction="TD")))[0] < 600


def test_many_states_run_top_to_bottom_in_their_natural_size() -> None:
    root = parsed(svg(TABLES["recruiting"], width=9000))
    wide, high = size(root)
    assert high > wide
    assert "is-fixed" in (root.get("class") or "")
    few = drawn(named(20), [(f"State {i}", "on", f"State {i + 1}") for i in range(19)])
    assert size(parsed(svg(few, width=9000)))[1] < 300


def test_what_would_get_too_small_is_not_shrunk() -> None:
    assert "is-fixed" not in (parsed(svg(LEAVE)).get("class") or "")
    assert "is-fixed" in (parsed(svg(LEAVE, direction="LR", width=600)).get("class") or "")


def test_a_narrow_one_fits_a_phone_with_figures_where_it_must() -> None:
    root = parsed(svg(TABLES["fully connected"], narrow=True))
    assert size(root)[0] <= 390
    assert len(classed(root, "legend")) == 30
    assert texts(root)[-1].startswith("30  ")
    assert classed(parsed(svg(LEAVE, narrow=True)), "legend") == []


def test_an_unknown_direction_is_refused() -> None:
    with pytest.raises(ValueError, match="choose auto, LR or TD"):
        svg(LEAVE, direction="up")  # type: ignore[arg-type]


def test_what_has_no_lifecycle_is_refused() -> None:
    with pytest.raises(TypeError, match="has no lifecycle"):
        svg(Path)  # type: ignore[arg-type]


# A file of its own


def test_a_standalone_file_brings_its_style_in_light_and_dark() -> None:
    root = parsed(svg(LEAVE, standalone=True))
    (style,) = root.iter(f"{SVG}style")
    assert "prefers-color-scheme:dark" in (style.text or "")
    assert "url(" not in (style.text or "")
    assert "@import" not in (style.text or "")
    for tone in ("new", "active", "wait", "alert", "done", "stop"):
        assert (style.text or "").count(f".t-{tone}{{") == 2


def test_the_style_sheet_has_a_rule_for_every_class_that_is_drawn() -> None:
    sheet = Path(fsm_lifecycle.__file__).parent / "static" / "fsm_lifecycle" / "diagram.css"
    rules = sheet.read_text()
    drawings = [
        svg(Invoice),
        svg(TABLES["recruiting"]),
        svg(TABLES["fully connected"], narrow=True),
        svg(Invoice, path=[("send_invoice", "draft", "sent")], current="sent", possible=["pay"]),
    ]
    used = {name for d in drawings for e in parsed(d).iter() for name in (e.get("class") or "").split()}
    assert {name for name in used if f".{name}" not in rules and not name.startswith("t-")} == set()
