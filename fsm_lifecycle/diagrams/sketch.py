"""Owns the working state of one layout: nodes, nets and links, which the stages fill in one after the other.

All stages work in one frame: ``x`` runs across the flow, ``y`` along it. Left to right swaps the two at the very end.
A *net* is all rows that share event, target and direction: they join into one trunk with one label. Must not know how
any stage decides.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from fsm_lifecycle.diagrams.machine import Machine
from fsm_lifecycle.diagrams.order import Order
from fsm_lifecycle.diagrams.style import Style

Kind = Literal["state", "label", "dummy", "start"]
Way = Literal["on", "back", "level"]


@dataclass
class Node:
    """A thing on a layer. The first nodes of a sketch are the machine's states, in their order."""

    kind: Kind
    rank: int = 0
    """Odd for states, even for labels and starts."""
    lines: list[str] = field(default_factory=list)
    w: int = 0
    h: int = 0
    """Size on the page, in px; even."""
    low: int = 0
    high: int = 0
    """Reach across the flow on either side of ``x``."""
    deep: int = 0
    """Reach along the flow."""
    loops: list[int] = field(default_factory=list)
    """Events that lead back to the same state."""
    loop_lines: list[str] = field(default_factory=list)
    loop_w: int = 0
    loop_h: int = 0
    x: float = 0
    y: float = 0


@dataclass
class Net:
    """Rows that are drawn as one trunk with one label."""

    sources: list[int]
    target: int
    back: bool
    events: list[int]
    compensating: bool
    label: int = -1
    """Its node."""
    trunk: dict[int, int] = field(default_factory=dict)
    """Rank → node."""
    level: bool = False
    """Sources and target share a rank: the lines turn round at the label."""
    returning: int = -1
    """Of a level net: the net of the line from the label back to the target."""
    part: bool = False
    """Whether it is such a returning line, and nothing of its own."""


class Link(NamedTuple):
    """A piece of a net between two neighbouring ranks. ``net`` is negative for an initial dot's."""

    upper: int
    lower: int
    net: int


class Side(NamedTuple):
    """One end of a link: at a node, leaving (0) or entering (1) along the flow, for a net."""

    node: int
    end: int
    net: int


class Sketch:
    """One layout in the making."""

    def __init__(self, machine: Machine, style: Style, across: bool) -> None:
        self.machine = machine
        self.style = style
        self.lr = across
        """Whether the flow runs from left to right."""
        self.order = Order(machine)
        self.nodes = [Node("state") for _ in machine.places]
        self.nets: list[Net] = []
        self.links: list[Link] = []
        self.layers: list[list[int]] = []
        self.place: list[int] = []
        """Each node's place in its layer."""
        self.port: dict[Side, float] = {}
        """Where a link meets a box, from its middle."""
        self.track: dict[tuple[int, int], float] = {}
        """(rank, net) → y of the piece that runs across between this rank and the next."""
        self.span_x: float = 0
        self.span_y: float = 0
        self.make_nets()

    def make_nets(self) -> None:
        """Join rows to nets. Once ranks are known, rows within one rank become level nets."""
        by_event: dict[tuple[int, int, Way], list[int]] = defaultdict(list)
        for node in self.nodes:
            node.loops = []
        for row in self.machine.rows:
            if row.source == row.target:
                self.nodes[row.source].loops.append(row.event)
            else:
                by_event[row.event, row.target, self._way(row.source, row.target)].append(row.source)
        merged: dict[tuple[tuple[int, ...], int, Way, bool], list[int]] = defaultdict(list)
        for (event, target, way), sources in by_event.items():
            compensating = self.machine.events[event].compensating
            merged[tuple(sorted(sources)), target, way, compensating].append(event)
        self.nets = [
            Net(list(sources), target, way == "back", events, compensating, level=way == "level")
            for (sources, target, way, compensating), events in merged.items()
        ]
        for net in [net for net in self.nets if net.level]:
            net.returning = len(self.nets)
            self.nets.append(Net([net.target], net.target, False, [], False, part=True))

    def _way(self, source: int, target: int) -> Way:
        if self.nodes[source].rank == self.nodes[target].rank > 0:
            return "level"
        return "back" if self.order.back(source, target) else "on"

    def across(self, node: int, end: int, net: int) -> float:
        """The x at which a link of ``net`` leaves or enters ``node``."""
        return self.nodes[node].x + self.port.get(Side(node, end, net), 0)

    def on_spine(self, link: Link) -> bool:
        """Whether a link is a piece of the longest chain, which is drawn as one straight line."""
        if link.net < 0:
            return True
        net = self.nets[link.net]
        if net.back:
            return False
        for source in net.sources:
            if (source, net.target) in self.order.spine:
                starts = link.upper == source
                trunk = self.nodes[link.upper].kind != "state"
                return starts or (trunk and self.nodes[link.upper].rank > self.nodes[source].rank)
        return False
