"""Owns what is wrong with a picture: overlaps of every kind, and crossings.

Measures a finished layout: boxes, labels and lines as rectangles and polylines on the page. Must not know how the
layout came about.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import combinations, pairwise

from fsm_lifecycle.diagrams.layout import Area, Layout, Point

_TOUCHING = 0.5
_APART = 3


@dataclass(frozen=True)
class Way:
    """A line: which net it is of, which boxes it may meet, which label it may pass."""

    net: str
    ends: frozenset[str]
    label: str
    points: tuple[Point, ...]


@dataclass
class Verdict:
    """What was found. Each fault is a sentence."""

    faults: list[str] = field(default_factory=list)
    crossings: int = 0


def judge(layout: Layout) -> Verdict:
    """Every overlap of two things in a layout, everything off the page, and the number of crossings."""
    boxes = {f"box {i}": area for i, area in enumerate(layout.boxes)}
    labels = {f"label {i}": bundle.label for i, bundle in enumerate(layout.bundles)}
    labels |= {f"loop {loop.place}": loop.label for loop in layout.loops}
    boxes |= {f"dot {i}": Area(s.x - 4.5, s.y - 4.5, 9, 9) for i, s in enumerate(layout.starts)}
    ways = list(_ways(layout))
    verdict = Verdict()
    areas = {**boxes, **labels}
    verdict.faults += [f"{a} lies on {b}" for a, b in combinations(areas, 2) if _overlap(areas[a], areas[b])]
    verdict.faults += [f"{name} leaves the page" for name, area in areas.items() if _outside(area, layout)]
    for way in ways:
        verdict.faults += [
            f"{way.net} leaves the page" for p in way.points if _outside(Area(*p, 0, 0), layout)
        ]
        for name, area in boxes.items():
            inset = 2.0 if name in way.ends else 1.0
            if _meets(way.points, area, inset):
                verdict.faults.append(f"{way.net} runs through {name}")
        for name, area in labels.items():
            if name != way.label and _meets(way.points, area, 1.0):
                verdict.faults.append(f"{way.net} runs through {name}")
    crossings = set()
    for a, b in combinations(ways, 2):
        if a.net == b.net:
            continue
        for p, q in pairwise(a.points):
            for r, s in pairwise(b.points):
                at = _crossing(p, q, r, s)
                if at:
                    crossings.add((a.net, b.net, round(at[0] / 4), round(at[1] / 4)))
                if _shared(p, q, r, s) > 4:
                    verdict.faults.append(f"{a.net} lies on {b.net}")
    verdict.crossings = len(crossings)
    return verdict


def _ways(layout: Layout) -> Iterator[Way]:
    for i, bundle in enumerate(layout.bundles):
        for line in bundle.lines:
            ends = frozenset({f"box {line.source}", f"box {bundle.target}"})
            yield Way(f"net {i}", ends, f"label {i}", line.points)
    for loop in layout.loops:
        yield Way(f"loop {loop.place}", frozenset({f"box {loop.place}"}), f"loop {loop.place}", loop.points)
    for i, start in enumerate(layout.starts):
        box = min(
            range(len(layout.boxes)),
            key=lambda b: (
                abs(layout.boxes[b].middle[0] - start.points[-1][0])
                + abs(layout.boxes[b].middle[1] - start.points[-1][1])
            ),
        )
        yield Way(f"start {i}", frozenset({f"dot {i}", f"box {box}"}), "", start.points)


def _overlap(a: Area, b: Area) -> bool:
    wide = min(a.x + a.w, b.x + b.w) - max(a.x, b.x)
    high = min(a.y + a.h, b.y + b.h) - max(a.y, b.y)
    return wide > _TOUCHING and high > _TOUCHING


def _outside(area: Area, layout: Layout) -> bool:
    right, bottom = layout.width + _TOUCHING, layout.height + _TOUCHING
    return area.x < -_TOUCHING or area.y < -_TOUCHING or area.x + area.w > right or area.y + area.h > bottom


def _meets(points: tuple[Point, ...], area: Area, inset: float) -> bool:
    left, top = area.x + inset, area.y + inset
    right, bottom = area.x + area.w - inset, area.y + area.h - inset
    return any(
        max(p[0], q[0]) > left
        and min(p[0], q[0]) < right
        and max(p[1], q[1]) > top
        and min(p[1], q[1]) < bottom
        for p, q in pairwise(points)
    )


def _crossing(p: Point, q: Point, r: Point, s: Point) -> Point | None:
    """Where a piece along one axis crosses a piece along the other."""
    if (p[0] == q[0]) == (r[0] == s[0]):
        return None
    (u, v), (h, k) = ((p, q), (r, s)) if p[0] == q[0] else ((r, s), (p, q))
    x, y = u[0], h[1]
    inside = min(h[0], k[0]) < x < max(h[0], k[0]) and min(u[1], v[1]) < y < max(u[1], v[1])
    return (x, y) if inside else None


def _shared(p: Point, q: Point, r: Point, s: Point) -> float:
    """How far two pieces run closer than 3 px beside each other."""
    for i in (0, 1):
        j = 1 - i
        if p[i] == q[i] and r[i] == s[i] and abs(p[i] - r[i]) < _APART:
            return min(max(p[j], q[j]), max(r[j], s[j])) - max(min(p[j], q[j]), min(r[j], s[j]))
    return 0
