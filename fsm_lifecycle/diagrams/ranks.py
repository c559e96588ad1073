"""Owns the ranks: on which layer each state stands, so that lines are short and the spine is shortest.

Must not know sizes or coordinates.
"""

from __future__ import annotations

from fsm_lifecycle.diagrams.simplex import Pull, solve
from fsm_lifecycle.diagrams.sketch import Sketch

_STATES_APART = 2
_SPINE, _FORWARD, _BACK = 4, 2, 1


def rank(sketch: Sketch) -> None:
    """Give each state an odd rank; the even ranks between are for labels."""
    count, pulls = len(sketch.nodes), []
    for net in sketch.nets:
        for source in net.sources:
            upper, lower = (net.target, source) if net.back else (source, net.target)
            spine = sketch.order.follows(upper, lower)
            level = sketch.style.side and sketch.order.beside(upper, lower)
            pulls.append(
                Pull(
                    upper,
                    lower,
                    0 if level else _STATES_APART,
                    _BACK if net.back else _SPINE if spine else _FORWARD,
                )
            )
    root = count  # keeps it connected
    pulls += [Pull(root, state, 0, 0) for state in range(count)]
    pulls += [Pull(root, state, 0, 1) for state in sketch.order.initial]
    at = solve(count + 1, pulls)
    low = min(at[:count], default=0)
    for state in range(count):
        sketch.nodes[state].rank = at[state] - low + 1
    if sketch.style.side:
        sketch.make_nets()
