"""Owns where each line leaves and enters a box: spread in neighbour order, the spine's in the middle.

A box grows to hold its lines. Must not know coordinates on the page.
"""

from __future__ import annotations

from collections import defaultdict

from fsm_lifecycle.diagrams.sketch import Net, Side, Sketch

_CORNER = 8
_TURN = 5
_LOPSIDED = 2
"""By how many lines a box may grow so that the spine meets it in the middle."""


def spread(sketch: Sketch) -> None:
    """Fill ``port`` and give the boxes their reach across the flow."""
    sides: dict[tuple[int, int], list[tuple[int, int, bool]]] = defaultdict(list)
    for link in sketch.links:
        spine = sketch.on_spine(link)
        if sketch.nodes[link.upper].kind == "state":
            sides[link.upper, 0].append((sketch.place[link.lower], link.net, spine))
        if sketch.nodes[link.lower].kind == "state":
            sides[link.lower, 1].append((sketch.place[link.upper], link.net, spine))
    apart = sketch.style.port // 2 * 2
    for (node, end), found in sides.items():
        found.sort(key=lambda entry: entry[0])
        middle = (len(found) - 1) / 2
        main = [i for i, (_, _, spine) in enumerate(found) if spine]
        shift = (middle - main[0]) * apart if main else 0
        least = _room(sketch, node) - middle * apart
        free = max(
            0, least // 2 * 2, _LOPSIDED * apart / 2
        )  # the row of ports slides until the spine's is central
        shift = max(-free, min(free, shift))
        _widen(sketch, node, middle * apart + abs(shift) + _CORNER)
        for i, (_, net, _) in enumerate(found):
            sketch.port[Side(node, end, net)] = int((i - middle) * apart + shift)

    for number, each in enumerate(sketch.nets):
        if each.level:
            _open(sketch, number, each)


def _open(sketch: Sketch, number: int, net: Net) -> None:
    """A line that turns round at its label comes and goes side by side."""
    before = sum(sketch.place[source] for source in net.sources) / len(net.sources)
    side = -_TURN if before < sketch.place[net.target] else _TURN
    sketch.port[Side(net.label, 1, number)] = side
    sketch.port[Side(net.label, 1, net.returning)] = -side


def _room(sketch: Sketch, node: int) -> float:
    """How far from its middle a line may meet a box as it is."""
    box = sketch.nodes[node]
    return (box.h if sketch.lr else box.w) / 2 - _CORNER


def _widen(sketch: Sketch, node: int, half: float) -> None:
    box = sketch.nodes[node]
    more = int(half) - (box.h if sketch.lr else box.w) // 2
    if more > 0:
        box.low += more
        box.high += more
        if sketch.lr:
            box.h += 2 * more
        else:
            box.w += 2 * more
