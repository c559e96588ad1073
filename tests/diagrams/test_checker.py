"""The checker finds what it looks for: each kind of fault, made on purpose."""

from dataclasses import replace

import pytest

from fsm_lifecycle.diagrams.layout import Area, Layout, lay_out
from fsm_lifecycle.diagrams.machine import extract
from fsm_lifecycle.diagrams.style import FULL

from .checker import judge
from .lifecycles import TABLES

pytestmark = pytest.mark.pure


def whole() -> Layout:
    return lay_out(extract(TABLES["order"]), "TD", FULL)


def moved(area: Area, x: float, y: float) -> Area:
    return replace(area, x=area.x + x, y=area.y + y)


def test_boxes_on_one_another_are_found() -> None:
    layout = whole()
    boxes = (moved(layout.boxes[1], 3, 3), *layout.boxes[1:])
    assert any("box 0 lies on box 1" in fault for fault in judge(replace(layout, boxes=boxes)).faults)


def test_a_label_on_a_box_is_found() -> None:
    layout = whole()
    bundle = replace(layout.bundles[0], label=layout.boxes[3])
    faults = judge(replace(layout, bundles=(bundle, *layout.bundles[1:]))).faults
    assert "box 3 lies on label 0" in faults


def test_a_line_through_a_box_is_found() -> None:
    layout = whole()
    x, y = layout.boxes[4].middle
    line = replace(layout.bundles[0].lines[0], points=((x, y - 300), (x, y + 100)))
    bundle = replace(layout.bundles[0], lines=(line,))
    faults = judge(replace(layout, bundles=(bundle, *layout.bundles[1:]))).faults
    assert "net 0 runs through box 4" in faults


def test_lines_on_one_another_are_found() -> None:
    layout = whole()
    line = replace(layout.bundles[0].lines[0], points=layout.bundles[1].lines[0].points)
    bundle = replace(layout.bundles[0], lines=(line,))
    faults = judge(replace(layout, bundles=(bundle, *layout.bundles[1:]))).faults
    assert "net 0 lies on net 1" in faults


def test_what_leaves_the_page_is_found() -> None:
    layout = whole()
    assert any("leaves the page" in fault for fault in judge(replace(layout, width=200)).faults)


def test_a_crossing_is_counted() -> None:
    layout = whole()
    (x, y), *_ = layout.bundles[0].lines[0].points
    line = replace(layout.bundles[2].lines[0], points=((x - 40, y + 5), (x + 40, y + 5)))
    bundles = (layout.bundles[0], layout.bundles[1], replace(layout.bundles[2], lines=(line,)))
    assert judge(replace(layout, bundles=bundles)).crossings == 1
