"""Owns where each line leaves and enters a box: spread in neighbour order, the spine's in the middle.

Must not know coordinates on the page.
"""

from __future__ import annotations

from collections import defaultdict

from fsm_lifecycle.diagrams.sketch import Side, Sketch

_CORNER = 8


def spread(sketch: Sketch) -> None:
    """Fill ``port``."""
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
        box = sketch.nodes[node]
        half = (box.h if sketch.lr else box.w) / 2 - _CORNER
        main = [i for i, (_, _, spine) in enumerate(found) if spine]
        room = max(0, half - middle * apart) // 2 * 2  # slide the row of ports until the spine's is central
        shift = max(-room, min(room, (middle - main[0]) * apart)) if main else 0
        for i, (_, net, _) in enumerate(found):
            sketch.port[Side(node, end, net)] = int((i - middle) * apart + shift)
