"""Owns the order of nodes within each layer: the one with the fewest crossings that was found.

Barycentre sweeps (Sugiyama, Tagawa, Toda 1981) from six starts: two depth-first orders and four shuffles with a fixed
seed, so that a table is always drawn alike. Must not know sizes or coordinates.
"""

from __future__ import annotations

import random
from bisect import bisect_right

from fsm_lifecycle.diagrams.sketch import Sketch

_STARTS = 6
_SWEEPS = 40
_STALE = 8


def arrange(sketch: Sketch) -> None:
    """Fill ``layers`` and ``place``."""
    sketch.layers, sketch.place = _Sweeper(sketch).best()


class _Sweeper:
    def __init__(self, sketch: Sketch) -> None:
        self.ranks_of = [node.rank for node in sketch.nodes]
        count = len(self.ranks_of)
        self.up: list[list[int]] = [[] for _ in range(count)]
        self.down: list[list[int]] = [[] for _ in range(count)]
        for upper, lower, _ in sketch.links:
            self.down[upper].append(lower)
            self.up[lower].append(upper)
        self.ranks = sorted(set(self.ranks_of))
        self.place = [0] * count
        self.spine = {
            end for link in sketch.links if sketch.on_spine(link) for end in (link.upper, link.lower)
        }
        self.random = random.Random(7)  # noqa: S311 - the same shuffles each time

    def best(self) -> tuple[list[list[int]], list[int]]:
        found: list[list[int]] = []
        least: tuple[int, int] | None = None
        for start in range(_STARTS):
            layers = self._begin(start)
            stale = 0
            for sweep in range(_SWEEPS):
                self._sweep(layers, sweep)
                cost = self._crossings(layers), self._lopsided(layers)
                if least is None or cost < least:
                    found, least, stale = [row[:] for row in layers], cost, 0
                else:
                    stale += 1
                    if stale > _STALE:
                        break
        for row in found:
            self._number(row)
        return found, self.place

    def _begin(self, start: int) -> list[list[int]]:
        """Layers in the order of a depth-first walk."""
        seen: set[int] = set()
        walked: list[int] = []
        for root in sorted(range(len(self.place)), key=lambda v: (self.ranks_of[v], v)):
            stack = [root]
            while stack:
                node = stack.pop()
                if node in seen:
                    continue
                seen.add(node)
                walked.append(node)
                ahead = [other for other in self.down[node] + self.up[node] if other not in seen]
                if start > 1:
                    self.random.shuffle(ahead)
                stack.extend(ahead if start == 1 else ahead[::-1])
        layers = [[node for node in walked if self.ranks_of[node] == rank] for rank in self.ranks]
        for row in layers:
            self._number(row)
        return layers

    def _sweep(self, layers: list[list[int]], sweep: int) -> None:
        forward = sweep % 2 == 0
        flip = sweep % 4 > 1
        walk = range(1, len(layers)) if forward else range(len(layers) - 2, -1, -1)
        side = self.up if forward else self.down
        for i in walk:
            row = layers[i]
            middle = {v: sum(self.place[p] for p in side[v]) / len(side[v]) for v in row if side[v]}
            slots = [k for k, v in enumerate(row) if v in middle]  # nodes without neighbours stay put

            def key(v: int, middle: dict[int, float] = middle) -> tuple[float, int]:
                return middle[v], -self.place[v] if flip else self.place[v]

            for slot, node in zip(slots, sorted((row[k] for k in slots), key=key), strict=True):
                row[slot] = node
            self._number(row)

    def _number(self, row: list[int]) -> None:
        for i, node in enumerate(row):
            self.place[node] = i

    def _lopsided(self, layers: list[list[int]]) -> int:
        """How far the spine is from the middle: of two orders with as many crossings the even one is taken."""
        return sum(
            abs(2 * self.place[node] + 1 - len(row)) for row in layers for node in row if node in self.spine
        )

    def _crossings(self, layers: list[list[int]]) -> int:
        total = 0
        for row in layers[:-1]:
            seen: list[int] = []
            for node in row:
                ends = sorted(self.place[other] for other in self.down[node])
                total += sum(len(seen) - bisect_right(seen, end) for end in ends)
                for end in ends:
                    seen.insert(bisect_right(seen, end), end)
        return total
