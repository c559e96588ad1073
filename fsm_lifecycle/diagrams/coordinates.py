"""Owns the coordinates across the flow: nothing touches, long lines are straight, the spine straightest.

The same network simplex as for ranks, after Gansner and others (1993). Must not know how lines bend.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from fsm_lifecycle.diagrams.simplex import Pull, solve
from fsm_lifecycle.diagrams.sketch import Link, Node, Side, Sketch

#: More than any two ports are apart, so that both distances of a link's two pulls stay positive.
_BASE = 2000
_START, _SPINE, _TRUNK, _JOINED, _INTO_TARGET, _JOINING, _SINGLE = 12, 48, 8, 4, 6, 1, 3
_KINK = 4


def align(sketch: Sketch, apart: Sequence[Pull] = ()) -> None:
    """Give each node its ``x``. ``apart``: distances to be kept beside those within the layers.

    Raises ``ValueError`` where these contradict each other.
    """
    count, pulls = len(sketch.nodes), list(apart)
    for row in sketch.layers:
        pulls.append(Pull(count, row[0], 0, 0))
        for left, right in pairwise(row):
            a, b = sketch.nodes[left], sketch.nodes[right]
            pulls.append(Pull(left, right, a.high + b.low + _gap(sketch, a, b), 0))
    joint = count + 1
    for link in sketch.links:
        weight = _weight(sketch, link)
        upper = int(sketch.port.get(Side(link.upper, 0, link.net), 0))
        lower = int(sketch.port.get(Side(link.lower, 1, link.net), 0))
        pulls.append(Pull(joint, link.upper, _BASE - upper, weight))
        pulls.append(Pull(joint, link.lower, _BASE - lower, weight))
        joint += 1
    at = solve(joint, pulls)
    for i, node in enumerate(sketch.nodes):
        node.x = at[i]
    _save_kinks(sketch)
    left_edge = min((node.x - node.low for node in sketch.nodes), default=0)
    for node in sketch.nodes:
        node.x -= left_edge
    sketch.span_x = max((node.x + node.high for node in sketch.nodes), default=0)


def _weight(sketch: Sketch, link: Link) -> int:
    if link.net < 0:
        return _START
    if sketch.on_spine(link):
        return _SPINE
    states = [end for end in (link.upper, link.lower) if sketch.nodes[end].kind == "state"]
    net = sketch.nets[link.net]
    if not states:  # where another source joins, a bend does no harm
        joins = sketch.nodes[link.upper].rank + 1 if net.back else sketch.nodes[link.lower].rank - 1
        return _JOINED if any(sketch.nodes[source].rank == joins for source in net.sources) else _TRUNK
    if len(net.sources) > 1:  # a trunk stays straight into its target; sources just join
        return _INTO_TARGET if net.target in states else _JOINING
    return _SINGLE


def _gap(sketch: Sketch, a: Node, b: Node) -> int:
    style, kinds = sketch.style, {a.kind, b.kind}
    if kinds == {"state"}:
        return style.gap_state
    if "state" in kinds:
        return style.gap_line + 2
    return style.gap_label if "label" in kinds or kinds == {"start"} else style.gap_line


def _save_kinks(sketch: Sketch) -> None:
    """A port slides a little where that makes a line straight; never so far that it touches its neighbour."""
    kink = (sketch.style.port - 3) // 2
    for upper, lower, net in sketch.links:
        for node, end, other, far in ((upper, 0, lower, 1), (lower, 1, upper, 0)):
            side = Side(node, end, net)
            if side in sketch.port and sketch.nodes[node].kind == "state":
                off = sketch.across(other, far, net) - sketch.across(node, end, net)
                if 0 < abs(off) <= min(kink, _KINK):
                    sketch.port[side] += off
