"""Owns the order of states along the flow: few rows point back, and those that a reader expects to.

Plain minimum feedback arcs give absurd pictures (the initial state at the bottom). Here the price of turning a row
depends on its distance from an initial state and on the declared order, and the first way to reach a state is never
turned. Must not know ranks or coordinates.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import cached_property

from fsm_lifecycle.definition.graph import adjacency, reachable
from fsm_lifecycle.diagrams.machine import Machine

_NEVER_TURNED = 9000


def sift(order: list[int], cost: Callable[[int, int], int], fixed: int = 0) -> tuple[list[int], bool]:
    """Move each element to its cheapest place; ``cost(a, b)`` is the price of a standing before b.

    The first ``fixed`` elements stay. Says whether anything moved.
    """
    moved = False
    for element in sorted(order[fixed:]):
        rest = [other for other in order if other != element]
        price = [0]
        for other in rest:
            price.append(price[-1] + cost(other, element) - cost(element, other))
        here = order.index(element)
        best = min(range(fixed, len(rest) + 1), key=lambda i: (price[i], abs(i - here)))
        if price[best] < price[here]:
            order, moved = [*rest[:best], element, *rest[best:]], True
    return order, moved


def sifted(order: list[int], cost: Callable[[int, int], int], fixed: int = 0) -> list[int]:
    """``sift`` until nothing moves, eight times at most."""
    for _ in range(8):
        order, moved = sift(order, cost, fixed)
        if not moved:
            break
    return order


def _sign(a: int, b: int) -> int:
    return (a > b) - (a < b)


class Order:
    """The order of a machine's states, and which rows it turns back."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        count = len(machine.places)
        self.arcs = {(row.source, row.target) for row in machine.rows if row.source != row.target}
        edges = adjacency((str(s), str(t)) for s, t in self.arcs)
        self.reach = [{int(t) for t in reachable(edges, str(s))} for s in range(count)]
        self.initial = [i for i, place in enumerate(machine.places) if place.initial]
        self.position = self._positions(count)

    def back(self, source: int, target: int) -> bool:
        """Whether a row from source to target points back."""
        return source in self.reach[target] and self.position[target] < self.position[source]

    def follows(self, source: int, target: int) -> bool:
        """Whether target is the very next state after source."""
        return self.position[target] == self.position[source] + 1

    def _positions(self, count: int) -> dict[int, int]:
        price: dict[tuple[int, int], int] = defaultdict(int)
        distance = dict.fromkeys(self.initial, 0)
        queue = list(self.initial)
        for source in queue:
            for target in sorted(t for s, t in self.arcs if s == source):
                if target not in distance:
                    distance[target] = distance[source] + 1
                    queue.append(target)
                    price[source, target] += _NEVER_TURNED
        for source, target in self.arcs:
            if source in self.reach[target]:  # only cycles matter
                far = _sign(distance.get(target, count), distance.get(source, count))
                price[source, target] += max(100, 500 + 300 * far + 300 * _sign(target, source))
        order = sorted(range(count), key=lambda s: (s not in self.initial, distance.get(s, count), s))
        order = sifted(order, lambda a, b: price.get((b, a), 0) + (a > b), len(self.initial))
        return {state: i for i, state in enumerate(order)}

    @cached_property
    def spine(self) -> frozenset[tuple[int, int]]:
        """The rows of the longest chain from an initial to a final state, drawn as one straight line.

        States that wait, alert or stop count for little, so that the chain is the way things go well.
        """
        places = self.machine.places
        onward: dict[int, list[int]] = defaultdict(list)
        for source, target in sorted(self.arcs):
            if not self.back(source, target) and self.position[target] > self.position[source]:
                onward[source].append(target)
        best: dict[int, tuple[int, int]] = {}
        for state in sorted(self.position, key=lambda s: -self.position[s]):
            place = places[state]
            own = -1 if place.tone in ("wait", "alert", "stop") else 10
            ways = [(best[t][0], -self.position[t], t) for t in onward[state]]
            if not ways:
                best[state] = (own + 1000 * place.terminal, -1)
            else:
                ahead, _, target = max(ways)
                best[state] = (own + ahead, target)
        return self._chain(best)

    @cached_property
    def _beside_spine(self) -> dict[int, set[int]]:
        """Each state that is off the spine with the states of the spine that lead to it."""
        spine = {state for row in self.spine for state in row}
        found: dict[int, set[int]] = defaultdict(set)
        for source, target in self.arcs:
            if source in spine and target not in spine and not self.back(source, target):
                found[target].add(source)
        return found

    def beside(self, a: int, b: int) -> bool:
        """Whether two states branch off the spine at the same state, and so may stand side by side."""
        return bool(self._beside_spine.get(a, set()) & self._beside_spine.get(b, set()))

    def _chain(self, best: dict[int, tuple[int, int]]) -> frozenset[tuple[int, int]]:
        roots: Sequence[int] = self.initial or ([0] if best else [])
        rows = set()
        if roots:
            state = max(roots, key=lambda s: (best[s][0], -self.position[s]))
            while best[state][1] >= 0:
                rows.add((state, best[state][1]))
                state = best[state][1]
        return frozenset(rows)
