"""Owns the nodes between states: one trunk for each net, its label on it, and the initial dots.

Must not know coordinates.
"""

from __future__ import annotations

from collections import defaultdict

from fsm_lifecycle.diagrams.sizes import label_of
from fsm_lifecycle.diagrams.sketch import Link, Net, Node, Sketch

_DOT = 12


def grow(sketch: Sketch) -> None:
    """Add a node on every rank that a net crosses, and the links between them."""
    load: dict[int, float] = defaultdict(float)

    def length(net: Net) -> int:
        return abs(sketch.nodes[net.target].rank - sketch.nodes[net.sources[0]].rank)

    for number, net in sorted(enumerate(sketch.nets), key=lambda pair: length(pair[1])):
        if net.level:
            _turn_round(sketch, number, net, load)
        elif not net.part:
            _grow_trunk(sketch, number, net, load)
    for state in sketch.order.initial:
        sketch.nodes.append(
            Node("start", sketch.nodes[state].rank - 1, w=_DOT, h=_DOT, low=6, high=6, deep=_DOT)
        )
        sketch.links.append(Link(len(sketch.nodes) - 1, state, -1 - state))


def _grow_trunk(sketch: Sketch, number: int, net: Net, load: dict[int, float]) -> None:
    nodes, links = sketch.nodes, sketch.links
    target = nodes[net.target].rank
    ranks = [nodes[source].rank for source in net.sources]
    if net.back:
        span, free = range(target + 1, max(ranks)), range(target + 1, min(ranks))
    else:
        span, free = range(min(ranks) + 1, target), range(max(ranks) + 1, target)
    label = label_of(sketch, net)
    label.rank = _roomiest(free, load, label.low)
    load[label.rank] += 2 * label.low
    for rank in span:
        nodes.append(label if rank == label.rank else Node("dummy", rank))
        net.trunk[rank] = len(nodes) - 1
        if rank == label.rank:
            net.label = len(nodes) - 1
    links += [Link(net.trunk[r], net.trunk[r + 1], number) for r in span if r + 1 in net.trunk]
    for source in net.sources:
        rank = nodes[source].rank
        links.append(
            Link(net.trunk[rank - 1], source, number)
            if net.back
            else Link(source, net.trunk[rank + 1], number)
        )
    links.append(
        Link(net.target, net.trunk[target + 1], number)
        if net.back
        else Link(net.trunk[target - 1], net.target, number)
    )


def _turn_round(sketch: Sketch, number: int, net: Net, load: dict[int, float]) -> None:
    """A label on the next rank, where lines between states of one rank turn round."""
    label = label_of(sketch, net)
    label.rank = sketch.nodes[net.target].rank + 1
    load[label.rank] += 2 * label.low
    sketch.nodes.append(label)
    net.label = len(sketch.nodes) - 1
    sketch.links += [Link(source, net.label, number) for source in net.sources]
    sketch.links.append(Link(net.target, net.label, net.returning))


def _roomiest(free: range, load: dict[int, float], half: int) -> int:
    """The rank for a label: after the last source has joined, where there is room."""
    spots = [rank for rank in free if rank % 2 == 0]
    least = min(load.values(), default=0)
    return min(
        spots,
        key=lambda r: (load[r] > 2.2 * half + least, load[r] if len(spots) > 2 else 0, r),
    )
