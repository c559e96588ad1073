"""Owns one optimisation: places on a line that keep their distances and pull their links short.

Network simplex as in Gansner, Koutsofios, North and Vo, "A Technique for Drawing Directed Graphs" (1993). Must not know
what the places are: ranks and coordinates both come from here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Pull(NamedTuple):
    """``at[lower] - at[upper]`` is at least ``least``, and each unit of it costs ``weight``."""

    upper: int
    lower: int
    least: int
    weight: int


def solve(count: int, pulls: Sequence[Pull]) -> list[int]:
    """Places for ``count`` things, the first at 0, that minimise the cost of all pulls.

    The pulls must connect all things and hold no cycle; raises ``ValueError`` for a cycle.
    """
    return _Network(count, pulls).solved()


class _Network:
    def __init__(self, count: int, pulls: Sequence[Pull]) -> None:
        self.count = count
        self.pulls = pulls
        self.at_node: list[list[int]] = [[] for _ in range(count)]
        self.supply = [0] * count
        for i, (upper, lower, _, weight) in enumerate(pulls):
            self.at_node[upper].append(i)
            self.at_node[lower].append(i)
            self.supply[upper] += weight
            self.supply[lower] -= weight
        self.at = self._tight()
        self.tree: list[set[int]] = [set() for _ in range(count)]

    def solved(self) -> list[int]:
        self._span()
        after = 0
        for _ in range(60 * self.count):  # the bound guards against cycling
            leaving = self._leaving(after)
            if leaving is None:
                break
            after = self._pivot(*leaving)
        low = min(self.at)
        return [place - low for place in self.at]

    def _tight(self) -> list[int]:
        """Every thing as early as its distances allow."""
        into = [0] * self.count
        out: list[list[Pull]] = [[] for _ in range(self.count)]
        for pull in self.pulls:
            into[pull.lower] += 1
            out[pull.upper].append(pull)
        at = [0] * self.count
        ready = [node for node in range(self.count) if not into[node]]
        for node in ready:
            for pull in out[node]:
                at[pull.lower] = max(at[pull.lower], at[node] + pull.least)
                into[pull.lower] -= 1
                if not into[pull.lower]:
                    ready.append(pull.lower)
        if len(ready) != self.count:
            raise ValueError("The distances contradict each other: they form a cycle.")
        return at

    def _slack(self, i: int) -> int:
        upper, lower, least, _ = self.pulls[i]
        return self.at[lower] - self.at[upper] - least

    def _other(self, i: int, node: int) -> int:
        return self.pulls[i].upper + self.pulls[i].lower - node

    def _span(self) -> None:
        """Grow a spanning tree of pulls without slack, moving things where it cannot grow."""
        seen, stack = {0}, [0]
        while True:
            while stack:
                node = stack.pop()
                for i in self.at_node[node]:
                    other = self._other(i, node)
                    if other not in seen and not self._slack(i):
                        seen.add(other)
                        stack.append(other)
                        self._join(i)
            if len(seen) == self.count:
                return
            leading_out = (
                i
                for node in sorted(seen)
                for i in self.at_node[node]
                if (self.pulls[i].upper in seen) != (self.pulls[i].lower in seen)
            )
            best = min(leading_out, key=self._slack)
            shift = self._slack(best) if self.pulls[best].upper in seen else -self._slack(best)
            for node in seen:
                self.at[node] += shift
            stack = sorted(seen)

    def _join(self, i: int) -> None:
        self.tree[self.pulls[i].upper].add(i)
        self.tree[self.pulls[i].lower].add(i)

    def _leaving(self, after: int) -> tuple[int, int] | None:
        """A tree pull that costs more than another would, as (the thing below it, the pull)."""
        via, order = [-1] * self.count, [0]
        for node in order:
            for i in sorted(self.tree[node]):
                if i != via[node]:
                    via[self._other(i, node)] = i
                    order.append(self._other(i, node))
        below = self.supply[:]
        for node in reversed(order[1:]):
            below[self._other(via[node], node)] += below[node]
        for k in range(1, self.count + 1):
            node = (after + k) % self.count
            if via[node] >= 0:
                cut = below[node] if self.pulls[via[node]].upper == node else -below[node]
                if cut < 0:
                    return node, via[node]
        return None

    def _pivot(self, node: int, leaving: int) -> int:
        inside = [node]
        came: dict[int, int] = {node: leaving}
        for a in inside:
            for i in sorted(self.tree[a]):
                if i != came[a]:
                    came[self._other(i, a)] = i
                    inside.append(self._other(i, a))
        mark = set(inside)
        outward = self.pulls[leaving].upper == node
        # What enters runs against what leaves: out of the part where that ran in, and the other way round.
        entering = min(
            (
                i
                for a in inside
                for i in self.at_node[a]
                if self.pulls[i][outward] in mark and self.pulls[i][1 - outward] not in mark
            ),
            key=self._slack,
        )
        shift = -self._slack(entering) if outward else self._slack(entering)
        for a in inside:
            self.at[a] += shift
        self.tree[self.pulls[leaving].upper].discard(leaving)
        self.tree[self.pulls[leaving].lower].discard(leaving)
        self._join(entering)
        return node
