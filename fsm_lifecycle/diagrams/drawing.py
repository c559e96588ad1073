"""Owns the elements inside a diagram's SVG: lines, labels, turns, dots and states, in the order they are painted.

Must not know how the page around them looks.
"""

from __future__ import annotations

from fsm_lifecycle.diagrams import palette
from fsm_lifecycle.diagrams.glyphs import GLYPHS
from fsm_lifecycle.diagrams.journey import Journey
from fsm_lifecycle.diagrams.layout import Area, Bundle, Layout, Loop, Point
from fsm_lifecycle.diagrams.machine import Machine
from fsm_lifecycle.diagrams.markup import classes, element, said
from fsm_lifecycle.diagrams.strokes import head, stroke, until_joined
from fsm_lifecycle.diagrams.text import measurable, width

_GLYPH = 12
_RADIUS = 4
_BASELINE = 0.35
_PILL = 16
_TURN = 10.5
_TURNS_WIDE = 34
#: What is painted later lies on top.
_KINDS = ("is-compensating", "", "is-next", "is-taken")


class Drawing:
    """One machine, one layout, and the journey of a record where there is one."""

    def __init__(self, machine: Machine, layout: Layout, way: Journey | None) -> None:
        self.machine = machine
        self.layout = layout
        self.way = way
        self.style = layout.style

    def markup(self) -> str:
        """Everything but the title."""
        lines = sorted(((self._rank(b), b) for b in self.layout.bundles), key=lambda pair: pair[0])
        return "".join(
            [
                *(self._bundle(bundle) for _, bundle in lines),
                *(self._start(start.x, start.y, start.points) for start in self.layout.starts),
                *(self._loop(loop) for loop in self.layout.loops),
                *(self._bundle_label(bundle) for bundle in self.layout.bundles),
                *(self._state(i, box) for i, box in enumerate(self.layout.boxes)),
            ]
        )

    # Lines

    def _kind(self, bundle: Bundle, source: int) -> str:
        if self.way is None:
            return "is-compensating" if bundle.compensating else ""
        return self.way.kind(source, bundle.target, bundle.compensating)

    def _rank(self, bundle: Bundle) -> int:
        return max(_KINDS.index(self._kind(bundle, line.source)) for line in bundle.lines)

    def _bundle(self, bundle: Bundle) -> str:
        """A trunk with its sources. A dashed line is drawn before those that join it, a taken one over them all."""
        priority = {"is-next": 0, "": 1, "is-compensating": 1, "is-taken": 2}
        entries = sorted(
            (
                (priority[self._kind(bundle, line.source)], -_reach(line.points), line)
                for line in bundle.lines
            ),
            key=lambda entry: entry[:2],
        )
        strokes: list[tuple[str, str]] = []
        drawn: list[tuple[Point, ...]] = []
        for _, _, line in entries:
            kind = self._kind(bundle, line.source)
            points = until_joined(line.points, [] if kind == "is-taken" else drawn, self.style.radius)
            drawn.append(line.points)
            if points is line.points:
                points = head(points)[1]
            strokes.append((kind, stroke(points, self.style.radius)))
        arrow = _head(head(bundle.lines[0].points)[0], _KINDS[self._rank(bundle)])
        return "".join([*(_halo(data) for _, data in strokes), *(_edge(*s) for s in strokes), arrow])

    def _start(self, x: float, y: float, points: tuple[Point, ...]) -> str:
        data, rest = head(points)
        dot = element("circle", {"class": "start", "cx": x, "cy": y, "r": 4.5, **palette.LABEL})
        return _edge("", stroke(rest, self.style.radius)) + dot + _head(data, "")

    def _loop(self, loop: Loop) -> str:
        kind = "" if self.way is None else self.way.kind(loop.place, loop.place, False)
        data, rest = head(loop.points)
        drawn = _edge(kind, stroke(rest, self.style.radius)) + _head(data, kind)
        return drawn + self._label(loop.label, [loop.place], loop.place)

    # Words on lines

    def _bundle_label(self, bundle: Bundle) -> str:
        sources = [line.source for line in bundle.lines]
        return self._label(bundle.label, sources, bundle.target)

    def _label(self, area: Area, sources: list[int], target: int) -> str:
        if self.style.labels == "turns":
            turns = self.way.numbers(sources, target) if self.way else []
            return _turn(area, turns) if turns else ""
        plate = element(
            "rect",
            {"class": "plate", "x": area.x, "y": area.y, "width": area.w, "height": area.h, **palette.PLATE},
        )
        x, y = area.middle
        return plate + "".join(
            written(line, x, y + self._down(i, len(area.lines)), "edge-label", self.style.label, "middle")
            for i, line in enumerate(area.lines)
        )

    def _down(self, i: int, lines: int) -> float:
        """How far below the middle the ``i``-th of so many lines stands."""
        return (i - (lines - 1) / 2) * self.style.line

    # States

    def _state(self, index: int, area: Area) -> str:
        place = self.machine.places[index]
        current = self.way is not None and self.way.current == index
        idle = self.way is not None and index not in self.way.visited
        weight = 700 if current else 400 if idle else 500
        longest = max(width(line, self.style.size, weight) for line in area.lines)
        x, y = area.middle
        left = x - (self.style.glyph + longest) / 2
        box = {"x": area.x, "y": area.y, "width": area.w, "height": area.h, "rx": _RADIUS}
        moved = f"translate({left:.1f} {y - _GLYPH / 2:.1f})"
        lines = [
            written(
                line,
                left + self.style.glyph,
                y + self._down(i, len(area.lines)),
                "",
                self.style.size,
                "start",
                weight,
                palette.name(place.tone, idle),
            )
            for i, line in enumerate(area.lines)
        ]
        marks = ("node", f"t-{place.tone}", "is-current" if current else "", "is-idle" if idle else "")
        return element(
            "g",
            {"class": classes(marks)},
            element("rect", {**box, **palette.box(place.tone, current, idle)}),
            element("g", {"transform": moved, **palette.glyph(place.tone, idle)}, GLYPHS[place.tone]),
            *lines,
        )


def _reach(points: tuple[Point, ...]) -> float:
    (ax, ay), (bx, by) = points[0], points[-1]
    return abs(ax - bx) + abs(ay - by)


def _edge(kind: str, data: str) -> str:
    return element("path", {"class": classes(("edge", kind)), "d": data, **palette.EDGE[kind]})


def _halo(data: str) -> str:
    return element("path", {"class": "halo", "d": data, **palette.HALO})


def _head(data: str, kind: str) -> str:
    marks = classes(("head", kind if kind != "is-compensating" else ""))
    return element("path", {"class": marks, "d": data, **palette.head(kind)})


def written(
    line: str,
    x: float,
    y: float,
    kind: str,
    size: float,
    anchor: str = "start",
    weight: int = 400,
    look: dict[str, str] | None = None,
) -> str:
    """A line of text around ``y``, set to the width it was measured with."""
    attributes: dict[str, str | float] = {
        "class": kind,
        "x": x,
        "y": y + size * _BASELINE,
        "font-size": size,
        "font-weight": str(weight) if weight != 400 else "",
        "text-anchor": anchor if anchor != "start" else "",
        **(palette.LABEL if look is None else look),
    }
    if line and measurable(line):  # fonts differ: the measured width holds in all of them
        attributes |= {"textLength": width(line, size, weight), "lengthAdjust": "spacingAndGlyphs"}
    return element("text", attributes, said(line))


def _turn(area: Area, turns: list[int]) -> str:
    text = " · ".join(map(str, turns))
    if width(text, _TURN, 700) > _TURNS_WIDE:
        text = f"{turns[0]}…{turns[-1]}"
    if width(text, _TURN, 700) > _TURNS_WIDE:
        text = f"{len(turns)}\u00d7"
    wide = max(_PILL, width(text, _TURN, 700) + 10)
    x, y = area.middle
    box = {"x": x - wide / 2, "y": y - _PILL / 2, "width": wide, "height": _PILL, "rx": _PILL / 2}
    return element(
        "g",
        {"class": "turn"},
        element("rect", {**box, **palette.TURN}),
        element(
            "text",
            {
                "x": x,
                "y": y + 3.8,
                "font-size": _TURN,
                "text-anchor": "middle",
                "textLength": width(text, _TURN, 700),
                "lengthAdjust": "spacingAndGlyphs",
                **palette.TURN_TEXT,
            },
            said(text),
        ),
    )
