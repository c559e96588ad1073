"""Owns the coordinates along the flow, and the tracks: between two layers each net runs across on one of its own.

After Sander, "Layout of Directed Hypergraphs with Orthogonal Hyperedges" (2003); the order of tracks is sifted.
Must not know how lines are drawn.
"""

from __future__ import annotations

from collections import defaultdict

from fsm_lifecycle.diagrams.order import sifted
from fsm_lifecycle.diagrams.simplex import Pull
from fsm_lifecycle.diagrams.sketch import Link, Sketch

_TOUCH = 50
"""The price of two lines that would lie on one another, in crossings."""
_NEAR = 3
_CLEAR = 6


class _Gap:
    """The room between two layers: each net's ends above and below."""

    def __init__(self, sketch: Sketch, links: list[Link]) -> None:
        self.sketch = sketch
        self.links = links
        self.above: dict[int, list[float]] = defaultdict(list)
        self.below: dict[int, list[float]] = defaultdict(list)
        for upper, lower, net in links:
            self.above[net].append(sketch.across(upper, 0, net))
            self.below[net].append(sketch.across(lower, 1, net))
        ends = {net: self.above[net] + self.below[net] for net in self.above}
        self.nets = list(ends)
        self.low = {net: min(at) for net, at in ends.items()}
        self.high = {net: max(at) for net, at in ends.items()}
        self.bent = [net for net in ends if self.low[net] != self.high[net]]

    def cost(self, first: int, second: int) -> int:
        """The price of the track of ``first`` lying before that of ``second``."""
        price = 0
        for at in self.below[first]:
            price += self.low[second] < at < self.high[second]
            price += _TOUCH * any(abs(at - other) < _NEAR for other in self.above[second])
        for at in self.above[second]:
            price += self.low[first] < at < self.high[first]
        return price

    def levels(self, apart: float) -> dict[int, int]:
        """Each bent net's track, counted from the upper layer."""
        start = sorted(self.bent, key=lambda net: self.low[net] + self.high[net])
        prices = {(a, b): self.cost(a, b) for a in self.bent for b in self.bent if a != b}
        order = sifted(start, lambda a, b: prices[a, b])
        level: dict[int, int] = {}
        for i, net in enumerate(order):
            beside = [
                level[other] + 1
                for other in order[:i]
                if self.low[other] < self.high[net] + apart and self.low[net] < self.high[other] + apart
            ]
            level[net] = max(beside, default=0)
        return level

    def apart(self, level: dict[int, int]) -> list[Pull]:
        """What keeps the lower end of one net off the upper end of another whose track lies behind it."""
        found = []
        for first in self.links:
            for second in self.links:
                if level.get(first.net, 0) >= level.get(second.net, -1):
                    continue
                at = self.sketch.across(first.lower, 1, first.net)
                other = self.sketch.across(second.upper, 0, second.net)
                if abs(at - other) < _NEAR:
                    mine = at - self.sketch.nodes[first.lower].x
                    theirs = other - self.sketch.nodes[second.upper].x
                    if at < other:
                        found.append(Pull(first.lower, second.upper, int(_CLEAR + mine - theirs), 0))
                    else:
                        found.append(Pull(second.upper, first.lower, int(_CLEAR + theirs - mine), 0))
        return found


def lay(sketch: Sketch) -> list[Pull]:
    """Give each node its ``y`` and each net its tracks.

    Returns distances that would keep lines off one another where no order of tracks does.
    """
    style = sketch.style
    leaving: dict[int, list[Link]] = defaultdict(list)
    for link in sketch.links:
        leaving[sketch.nodes[link.upper].rank].append(link)
    y: float = 0
    apart: list[Pull] = []
    for i, row in enumerate(sketch.layers):
        deep = max(sketch.nodes[node].deep for node in row)
        for node in row:
            sketch.nodes[node].y = y + deep / 2
        y += deep
        if i + 1 == len(sketch.layers):
            break
        rank = sketch.nodes[row[0]].rank
        gap = _Gap(sketch, leaving[rank])
        level = gap.levels(style.gap_line)
        apart += gap.apart(level)
        count = max(level.values(), default=-1) + 1
        room: float = style.approach if not count else 2 * style.approach + (count - 1) * style.track
        if not count and not (deep and max(sketch.nodes[node].deep for node in sketch.layers[i + 1])):
            room = style.approach // 2
        for net in gap.nets:
            across = style.approach + level[net] * style.track if net in level else room / 2
            sketch.track[rank, net] = y + across
        y += room
    sketch.span_y = y
    return apart
