"""Owns a finished layout, in page coordinates, and the stages that lead to it.

After Sugiyama, Tagawa and Toda (1981) and Gansner, Koutsofios, North and Vo (1993): order, ranks, sizes, trunks,
layers, ports, coordinates, tracks, routes. Must not know colours or formats.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from fsm_lifecycle.diagrams import coordinates, layers, ports, ranks, routes, sizes, tracks, trunks
from fsm_lifecycle.diagrams.machine import Machine
from fsm_lifecycle.diagrams.simplex import Pull
from fsm_lifecycle.diagrams.sketch import Node, Sketch
from fsm_lifecycle.diagrams.style import Style

#: The way the flow runs: left to right, or top down.
Flow = Literal["LR", "TD"]
Point: TypeAlias = tuple[float, float]
_TRIES = 4


@dataclass(frozen=True)
class Area:
    """A rectangle on the page, in px, with the lines of text in it."""

    x: float
    y: float
    w: float
    h: float
    lines: tuple[str, ...] = ()

    @property
    def middle(self) -> Point:
        return self.x + self.w / 2, self.y + self.h / 2


@dataclass(frozen=True)
class Line:
    """One row of the table as a polyline, from its source's box to its target's."""

    source: int
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Bundle:
    """Rows with one trunk and one label."""

    target: int
    events: tuple[int, ...]
    lines: tuple[Line, ...]
    label: Area
    compensating: bool
    back: bool


@dataclass(frozen=True)
class Loop:
    """Events that lead from a state back to itself: one small line, one label."""

    place: int
    events: tuple[int, ...]
    points: tuple[Point, ...]
    label: Area


@dataclass(frozen=True)
class Start:
    """The dot before an initial state, and the line to it."""

    x: float
    y: float
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Layout:
    """Everything that is drawn, and where."""

    width: float
    height: float
    flow: Flow
    style: Style
    boxes: tuple[Area, ...]
    """One for each of the machine's places."""
    bundles: tuple[Bundle, ...]
    loops: tuple[Loop, ...]
    starts: tuple[Start, ...]
    legend: tuple[tuple[int, ...], ...] = ()
    """What the figures stand for, in order: events."""


def lay_out(machine: Machine, flow: Flow, style: Style) -> Layout:
    """The layout of a machine. Equal machines have equal layouts, in every process."""
    sketch = Sketch(machine, style, flow == "LR")
    ranks.rank(sketch)
    sizes.measure_states(sketch)
    trunks.grow(sketch)
    layers.arrange(sketch)
    ports.spread(sketch)
    coordinates.align(sketch)
    _separate(sketch, tracks.lay(sketch))
    return _Page(sketch, flow).layout()


def _separate(sketch: Sketch, apart: list[Pull]) -> None:
    """Align again until no two lines lie on one another, a few times at most."""
    kept: list[Pull] = []
    for _ in range(_TRIES):
        if not apart:
            return
        kept += apart
        try:
            coordinates.align(sketch, kept)
        except ValueError:  # these distances cannot all be kept: what there is stays
            return
        apart = tracks.lay(sketch)


class _Page:
    """From the sketch's frame to the page's."""

    def __init__(self, sketch: Sketch, flow: Flow) -> None:
        self.sketch = sketch
        self.flow: Flow = flow
        self.margin = sketch.style.margin
        self.figure = self._figures() if sketch.style.labels == "figures" else {}

    def point(self, at: Point) -> Point:
        x, y = (at[1], at[0]) if self.sketch.lr else at
        return x + self.margin, y + self.margin

    def area(self, node: Node, lines: tuple[str, ...]) -> Area:
        x, y = self.point((node.x, node.y))
        return Area(x - node.w / 2, y - node.h / 2, node.w, node.h, lines)

    def layout(self) -> Layout:
        sketch = self.sketch
        right, bottom = self.point((sketch.span_x, sketch.span_y))
        states = sketch.nodes[: len(sketch.machine.places)]
        return Layout(
            right + self.margin,
            bottom + self.margin,
            self.flow,
            sketch.style,
            tuple(self.area(node, tuple(node.lines)) for node in states),
            tuple(self._bundle(number) for number, net in enumerate(sketch.nets) if not net.part),
            tuple(self._loop(state, node) for state, node in enumerate(states) if node.loops),
            tuple(self._start(link.upper, link.lower) for link in sketch.links if link.net < 0),
            tuple(self.figure),
        )

    def _bundle(self, number: int) -> Bundle:
        net = self.sketch.nets[number]
        events = tuple(net.events)
        lines = tuple(
            Line(source, tuple(self.point(at) for at in routes.route(self.sketch, number, source)))
            for source in net.sources
        )
        label = self.sketch.nodes[net.label]
        shown = self.area(label, self._shown(events, label.lines))
        return Bundle(net.target, events, lines, shown, net.compensating, net.back)

    def _shown(self, events: tuple[int, ...], lines: list[str]) -> tuple[str, ...]:
        return (str(self.figure[events]),) if events in self.figure else tuple(lines)

    def _start(self, dot: int, state: int) -> Start:
        node = self.sketch.nodes[dot]
        x, y = self.point((node.x, node.y))
        return Start(x, y, tuple(self.point(at) for at in routes.walk(self.sketch, [dot, state], -1 - state)))

    def _loop(self, state: int, node: Node) -> Loop:
        x, y = self.point((node.x, node.y))
        events = tuple(node.loops)
        turns = self.sketch.style.labels == "turns"
        if self.sketch.lr:
            edge = y + node.h / 2
            points = ((x - 9, edge), (x - 9, edge + 13), (x + 9, edge + 13), (x + 9, edge))
            corner = (x - node.loop_w / 2, edge + (11 if turns else 16))
        else:
            edge = x + node.w / 2
            points = ((edge, y - 8), (edge + 20, y - 8), (edge + 20, y + 8), (edge, y + 8))
            corner = (edge + (6 if turns else 24), y - node.loop_h / 2)
        label = Area(*corner, node.loop_w, node.loop_h, self._shown(events, node.loop_lines))
        return Loop(state, events, points, label)

    def _figures(self) -> dict[tuple[int, ...], int]:
        """Each label's figure, in reading order."""
        sketch = self.sketch
        found: list[tuple[float, float, tuple[int, ...]]] = []
        for net in [net for net in sketch.nets if not net.part]:
            node = sketch.nodes[net.label]
            found.append((node.y, node.x, tuple(net.events)))
        found += [(node.y, node.x, tuple(node.loops)) for node in sketch.nodes if node.loops]
        in_order = dict.fromkeys(events for _, _, events in sorted(found))
        return {events: i + 1 for i, events in enumerate(in_order)}
