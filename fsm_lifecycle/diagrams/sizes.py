"""Owns how large boxes and labels are. Must not know where they stand."""

from __future__ import annotations

from collections import Counter
from math import ceil

from fsm_lifecycle.diagrams.sketch import Net, Node, Sketch
from fsm_lifecycle.diagrams.text import width, wrap

#: Fonts differ: what is measured is given this much room.
SPARE = 1.07
#: Room for the turns of a path beside a line, “3 · 5”.
PILL = (44, 18)
#: What of it is kept free along the flow; the rest stands over the free ends of its own line.
PILL_ALONG = 24
_FIGURE = 20
_LOOP = 26
"""How far a loop and the gap to its label reach out of a box."""


def even(value: float) -> int:
    """The next even number, so that halves are whole."""
    return 2 * ceil(value / 2)


def measure_states(sketch: Sketch) -> None:
    """Give each state its lines and a box that holds them and all lines that meet it."""
    style = sketch.style
    above, below = _ports(sketch)
    for state, node in enumerate(sketch.nodes):
        node.lines = wrap(sketch.machine.places[state].label, style.size, style.wrap_state, 700)
        longest = max(width(line, style.size, 700) for line in node.lines)
        node.w = even(longest + style.glyph + 2 * style.pad_x)
        node.h = even(len(node.lines) * style.line + 2 * style.pad_y)
        ports = max(above[state], below[state], 1) * style.port + 8
        if sketch.lr:
            node.h = max(node.h, even(ports))
        else:
            node.w = max(node.w, even(ports))
        node.low = node.high = (node.h if sketch.lr else node.w) // 2
        node.deep = node.w if sketch.lr else node.h
        if node.loops:
            _measure_loop(sketch, node)


def _ports(sketch: Sketch) -> tuple[Counter[int], Counter[int]]:
    """How many lines meet each state before and behind it along the flow."""
    above: Counter[int] = Counter()
    below: Counter[int] = Counter()
    for net in sketch.nets:
        near, far = (above, below) if net.back else (below, above)
        if net.level:
            far = below
        if net.part:
            continue
        near.update(net.sources)
        far[net.target] += 1
    return above, below


def _measure_loop(sketch: Sketch, node: Node) -> None:
    node.loop_lines, node.loop_w, node.loop_h = _words(sketch, node.loops)
    turns = sketch.style.labels == "turns"
    if sketch.lr:
        node.high += (11 if turns else 18) + node.loop_h
        node.deep = max(node.deep, node.loop_w + 4)
    else:
        node.high += (6 if turns else _LOOP + 4) + node.loop_w
        node.deep = max(node.deep, node.loop_h)


def label_of(sketch: Sketch, net: Net) -> Node:
    """A net's label as a node, not yet on a rank."""
    lines, w, h = _words(sketch, net.events)
    half = (h if sketch.lr else w) // 2
    if sketch.style.labels == "turns" and sketch.lr:
        w = PILL_ALONG
    return Node("label", lines=lines, w=w, h=h, low=half, high=half, deep=w if sketch.lr else h)


def _words(sketch: Sketch, events: list[int]) -> tuple[list[str], int, int]:
    """The lines of a label, and its size in px."""
    style = sketch.style
    if style.labels == "turns":
        return [], *PILL
    if style.labels == "figures":
        return [""], _FIGURE, even(style.line + 2)
    labels = [sketch.machine.events[event].marked for event in events]
    lines = [line for label in labels for line in wrap(label, style.label, style.wrap_label)]
    longest = max(width(line, style.label) for line in lines)
    return lines, even(longest * SPARE + 6), even(len(lines) * style.line + 2)
