"""Owns the SVG of a diagram: classes for a style sheet, presentation attributes as the fallback.

Inline it holds no style and no script, so ``default-src 'self'`` holds; a standalone file brings its own style. Must
not know how a layout comes about.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from itertools import count
from typing import Final, Literal

from django.utils.safestring import SafeString, mark_safe

from fsm_lifecycle.diagrams import palette, words
from fsm_lifecycle.diagrams.cache import layout
from fsm_lifecycle.diagrams.drawing import Drawing, written
from fsm_lifecycle.diagrams.journey import Journey, Move, journey
from fsm_lifecycle.diagrams.layout import Layout
from fsm_lifecycle.diagrams.machine import MARK, Machine, Subject, extract, one_line, outline
from fsm_lifecycle.diagrams.markup import classes, element, said
from fsm_lifecycle.diagrams.sizes import SPARE
from fsm_lifecycle.diagrams.style import FIGURES, FULL, NARROW, NARROW_PATH, PATH, SIDE, SIDE_PATH, TIGHT
from fsm_lifecycle.diagrams.text import width as text_width

Direction = Literal["auto", "LR", "TD"]

#: Above so many states a diagram runs top to bottom and keeps its natural size.
MANY: Final = 20
#: No text is shrunk below this size, in px.
SMALLEST: Final = 11
#: What fits on a phone, in px.
PHONE: Final = 390
_FONTS: Final = "system-ui, -apple-system, Segoe UI, Roboto, Helvetica, Arial, sans-serif"
_drawn = count(1)


def svg(
    subject: Subject,
    *,
    path: Sequence[Move] = (),
    current: str | None = None,
    possible: Collection[str] = (),
    direction: Direction = "auto",
    standalone: bool = False,
    narrow: bool = False,
    title: str = "",
    description: str = "",
    width: float = 1100,
) -> SafeString:
    """The diagram of a model, a record's model or a table, as one ``<svg>`` element.

    - ``path``: the transitions a record took, in order, each ``(event, source, target)`` by name and value. They are
      drawn solid, with their turns as numbers; what is elsewhere in the lifecycle is faint. A move between states that
      the present table does not join keeps its number and is not drawn.
    - ``current``: the state it is in. ``possible``: names of the events it could fire now, drawn dashed. With either,
      or a path, event labels are left out, and events that lead the same way share a line.
    - ``direction``: ``"LR"``, ``"TD"``, or ``"auto"``: left to right while there are at most 20 states and it fits
      into ``width`` px, where the style sheet may shrink it as long as no text gets smaller than 11 px.
    - ``narrow``: top to bottom, for a phone (390 px).
    - ``standalone``: a file of its own, with its style in light and dark; otherwise markup for a page that has
      ``fsm_lifecycle/diagram.css``, safe in a template and under ``default-src 'self'``.
    - ``title``, ``description``: for screen readers; by default from the table, in words.

    Raises ``TypeError`` for what has no lifecycle and ``ValueError`` for an unknown direction.
    """
    if direction not in ("auto", "LR", "TD"):
        raise ValueError(f"direction={direction!r}: choose auto, LR or TD.")
    machine = extract(subject)
    way = journey(machine, path, current, possible)
    chosen = _choose(outline(machine) if way else machine, way is not None, direction, narrow, width)
    fixed = len(machine.places) > MANY or not _readable(chosen, width)
    heading = one_line(title or words.title(machine, way is not None))
    told = one_line(description or words.description(machine, path, current, possible))
    return mark_safe(  # noqa: S308 - every text and attribute has gone through markup.element or markup.said
        _document(machine, chosen, way, heading, told, standalone, narrow, fixed)
    )


def _choose(machine: Machine, on_the_way: bool, direction: str, narrow: bool, width: float) -> Layout:
    """The layout that fits. A style sheet may shrink it to its box, but no text below ``SMALLEST``."""
    if narrow:
        found = layout(machine, "TD", NARROW_PATH if on_the_way else NARROW)
        if not on_the_way and found.width > min(width, PHONE):
            found = layout(machine, "TD", FIGURES)
        return found
    style = PATH if on_the_way else FULL
    if direction == "LR":
        return layout(machine, "LR", style)
    if direction == "auto" and len(machine.places) <= MANY:
        for tried in (PATH, SIDE_PATH) if on_the_way else (FULL, TIGHT, SIDE):
            found = layout(machine, "LR", tried)
            if _readable(found, width):
                return found
    return layout(machine, "TD", style)


def _readable(found: Layout, width: float) -> bool:
    """Whether a layout may be shrunk to so many px."""
    style = found.style
    smallest = style.size if style.labels == "turns" else style.label
    return found.width * SMALLEST / smallest <= width


def _document(
    machine: Machine,
    chosen: Layout,
    way: Journey | None,
    title: str,
    description: str,
    standalone: bool,
    narrow: bool,
    fixed: bool,
) -> str:
    body = Drawing(machine, chosen, way).markup()
    wide, high, legend = _legend(machine, chosen, way is not None)
    # Two diagrams on a page never share an id, not even when one came out of another process's cache.
    seed = hashlib.sha256(f"{title}{description}{body}".encode()).hexdigest()[:6]
    name = "lc" if standalone else f"lc-{seed}-{next(_drawn)}"
    attributes: dict[str, str | float] = {
        "xmlns": "http://www.w3.org/2000/svg",
        "class": classes(
            ("lc-graph", "is-path" if way else "", "is-narrow" if narrow else "", "is-fixed" if fixed else "")
        ),
        "viewBox": f"0 0 {wide:.0f} {high:.0f}",
        "width": f"{wide:.0f}",
        "height": f"{high:.0f}",
        "role": "img",
        "aria-labelledby": f"{name}-t {name}-d",
        "direction": "ltr",
        "font-family": _FONTS,
    }
    inside = [
        element("title", {"id": f"{name}-t"}, said(title)),
        element("desc", {"id": f"{name}-d"}, said(description)),
    ]
    if standalone:
        inside.append(element("style", {}, said(palette.sheet())))
        inside.append(element("rect", {"class": "plate", "width": "100%", "height": "100%", **palette.PLATE}))
    return element("svg", attributes, *inside, body, legend)


def _legend(machine: Machine, chosen: Layout, on_the_way: bool) -> tuple[float, float, str]:
    """Width and height of the page with the list of figures and marks below it, and the list."""
    style, wide, high = chosen.style, chosen.width, chosen.height
    texts = [
        f"{i}  {' / '.join(machine.events[event].marked for event in events)}"
        for i, events in enumerate(chosen.legend, start=1)
    ]
    if not on_the_way:  # a path has no labels that could have a mark
        texts += [f"{MARK}  {event.label} also fires {fired.said}" for event, fired in machine.fired()]
    if not texts:
        return wide, high, ""
    lines = []
    for i, text in enumerate(texts, start=1):
        y = high + style.line / 2 + (i - 1) * (style.line + 2)
        lines.append(written(text, style.margin, y, "legend", style.label, look=palette.QUIET))
        wide = max(wide, text_width(text, style.label) * SPARE + 2 * style.margin)
    return wide, high + len(lines) * (style.line + 2) + 8, "".join(lines)
