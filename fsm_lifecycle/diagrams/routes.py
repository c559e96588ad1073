"""Owns the way of each line: from box to box along its trunk, through the tracks between the layers.

Must not know the page: points are in the sketch's frame.
"""

from __future__ import annotations

from itertools import pairwise

from fsm_lifecycle.diagrams.sketch import Sketch

Point = tuple[float, float]
_UNDER = 6


def route(sketch: Sketch, number: int, source: int) -> list[Point]:
    """The polyline of one row of a net, from its source's box to its target's."""
    net = sketch.nets[number]
    if net.level:
        return _straightened(
            walk(sketch, [source, net.label], number, round_label=True)
            + walk(sketch, [net.target, net.label], net.returning, round_label=True)[::-1]
        )
    here, there = sketch.nodes[source].rank, sketch.nodes[net.target].rank
    between = [net.trunk[rank] for rank in range(min(here, there) + 1, max(here, there))]
    if net.back:
        return walk(sketch, [net.target, *between, source], number)[::-1]
    return walk(sketch, [source, *between, net.target], number)


def walk(sketch: Sketch, chain: list[int], net: int, *, round_label: bool = False) -> list[Point]:
    """The polyline through a chain of nodes in the order of their ranks."""
    points: list[Point] = []
    for upper, lower in pairwise(chain):
        a, b = sketch.nodes[upper], sketch.nodes[lower]
        leaves, enters = sketch.across(upper, 0, net), sketch.across(lower, 1, net)
        half_a = (a.w if sketch.lr else a.h) / 2 if a.kind in ("state", "start") else 0
        half_b = (b.w if sketch.lr else b.h) / 2 if b.kind == "state" else 0
        if round_label:  # the turn lies just under the label's edge
            half_b = b.deep / 2 - _UNDER
        track = sketch.track[a.rank, net]
        points += [(leaves, a.y + half_a), (leaves, track), (enters, track), (enters, b.y - half_b)]
    return _straightened(points)


def _straightened(points: list[Point]) -> list[Point]:
    """Without repeated points and points in the middle of a straight piece."""
    kept: list[Point] = []
    for point in points:
        if kept and kept[-1] == point:
            continue
        if len(kept) > 1 and any(kept[-2][i] == kept[-1][i] == point[i] for i in (0, 1)):
            kept[-1] = point
        else:
            kept.append(point)
    return kept
