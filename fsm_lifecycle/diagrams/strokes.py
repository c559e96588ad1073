"""Owns how a polyline becomes a stroke: round corners, arrowheads, and where a line ends in its sibling.

Must not know colours.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

Point = tuple[float, float]
_HEAD_LENGTH, _HEAD_HALF, _HEAD_OVERLAP = 8, 3.5, 6


def number(value: float) -> str:
    """A coordinate with one decimal at most."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def pair(point: Point) -> str:
    return f"{number(point[0])} {number(point[1])}"


def distance(a: Point, b: Point) -> float:
    """Between two points of a piece that runs along one axis."""
    return abs(a[0] - b[0]) + abs(a[1] - b[1])


def toward(a: Point, b: Point, far: float) -> Point:
    """The point ``far`` px from ``a`` on the way to ``b``."""
    share = far / (distance(a, b) or 1)
    return a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share


def stroke(points: Sequence[Point], radius: float) -> str:
    """Path data with round corners; a side step shorter than two radii becomes one S-curve."""
    out = [f"M{pair(points[0])}"]
    i, last, end = 1, points[0], len(points) - 1
    while i < end:
        corner, ahead = points[i], points[i + 1]
        if i + 2 <= end and distance(corner, ahead) < 2 * radius:
            beyond = points[i + 2]
            room = distance(ahead, beyond) / (2 if i + 3 <= end else 1)
            reach = min(distance(last, corner), room, 1.7 * radius)
            begin, last = toward(corner, last, reach), toward(ahead, beyond, reach)
            out.append(f"L{pair(begin)}C{pair(corner)} {pair(ahead)} {pair(last)}")
            i += 2
            continue
        room = distance(corner, ahead) / (2 if i + 2 <= end else 1)
        reach = min(radius, distance(last, corner), room)
        begin, last = toward(corner, last, reach), toward(corner, ahead, reach)
        out.append(f"L{pair(begin)}Q{pair(corner)} {pair(last)}")
        i += 1
    return f"{''.join(out)}L{pair(points[-1])}"


def head(points: Sequence[Point]) -> tuple[str, list[Point]]:
    """Path data of the arrowhead at the end of a polyline, and the polyline that ends inside it."""
    (ax, ay), (bx, by) = points[-2:]
    length = distance((ax, ay), (bx, by)) or 1
    ux, uy = (bx - ax) / length, (by - ay) / length
    base = (bx - _HEAD_LENGTH * ux, by - _HEAD_LENGTH * uy)
    wings = [(base[0] + side * _HEAD_HALF * uy, base[1] - side * _HEAD_HALF * ux) for side in (-1, 1)]
    data = f"M{pair((bx, by))}L{pair(wings[0])}L{pair(wings[1])}Z"
    return data, [*points[:-1], (bx - _HEAD_OVERLAP * ux, by - _HEAD_OVERLAP * uy)]


def until_joined(points: Sequence[Point], drawn: Sequence[Sequence[Point]], radius: float) -> Sequence[Point]:
    """The part of a polyline up to where it joins one that is drawn already: overlaid strokes look bold."""
    parts = [_before(points, other, radius) for other in drawn if other[-1] == points[-1]]
    return min(parts, key=_length, default=points)


def _before(points: Sequence[Point], other: Sequence[Point], radius: float) -> Sequence[Point]:
    """The part before the stretch that both share up to their common end."""
    i, j, at = len(points) - 1, len(other) - 1, points[-1]
    while i and j and at in (points[i], other[j]):
        mine, theirs = points[i - 1], other[j - 1]
        if not _same_way(at, mine, theirs):
            break
        at = min(mine, theirs, key=lambda point: distance(at, point))
        i -= at == mine
        j -= at == theirs
    if at == points[-1]:
        return points
    if at == points[i]:  # it turns into the other: the corner goes a little along
        ahead = points[i + 1]
        return [*points[: i + 1], toward(at, ahead, min(distance(at, ahead), radius + 1))]
    return [*points[:i], at]


def _same_way(at: Point, a: Point, b: Point) -> bool:
    """Whether two points lie in the same direction from ``at``, each along one axis."""
    (ax, ay), (bx, by) = (a[0] - at[0], a[1] - at[1]), (b[0] - at[0], b[1] - at[1])
    return ax * by == ay * bx and ax * bx + ay * by > 0


def _length(points: Sequence[Point]) -> float:
    return sum(distance(a, b) for a, b in pairwise(points))
