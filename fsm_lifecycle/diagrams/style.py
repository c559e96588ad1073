"""Owns the measures of a diagram: sizes of text, gaps, limits, all in px. Must not know colours."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

#: What stands on a line: the event's label; a figure, explained below the diagram; the turns of a record's path.
Labels = Literal["text", "figures", "turns"]


@dataclass(frozen=True)
class Style:
    """The measures of one kind of diagram."""

    size: float = 13.5
    """Font size of states."""
    label: float = 12.5
    """Font size of events."""
    line: int = 16
    """Line height."""
    wrap_state: int = 150
    wrap_label: int = 130
    pad_x: int = 10
    pad_y: int = 8
    glyph: int = 18
    """Room for the tone's drawing, the gap behind it included."""
    port: int = 14
    """Distance of two lines that leave the same side of a box."""
    radius: float = 8
    gap_state: int = 34
    gap_line: int = 18
    gap_label: int = 14
    track: int = 12
    """Distance of two lines that run beside each other between two layers."""
    approach: int = 15
    """Free length before a box, for the arrowhead."""
    margin: int = 10
    labels: Labels = "text"
    side: bool = False
    """Whether states that branch off the spine together share a layer, whatever leads from one to another."""


FULL: Final = Style()
#: As ``FULL``, for a flow from left to right that would else be too wide.
TIGHT: Final = replace(
    FULL, size=13, label=12, line=15, wrap_state=90, wrap_label=72, approach=11, track=10, port=12, margin=6
)
#: As ``TIGHT``, where that is too wide.
SIDE: Final = replace(TIGHT, side=True)
PATH: Final = Style(
    size=12.5,
    label=10.5,
    line=15,
    pad_y=5,
    wrap_state=104,
    pad_x=8,
    port=12,
    track=9,
    approach=11,
    gap_state=22,
    gap_line=14,
    gap_label=8,
    labels="turns",
)
SIDE_PATH: Final = replace(PATH, side=True)
NARROW: Final = Style(
    size=12,
    label=11,
    line=13,
    wrap_state=84,
    wrap_label=66,
    pad_x=6,
    pad_y=6,
    glyph=16,
    port=10,
    radius=6,
    gap_state=14,
    gap_line=9,
    gap_label=6,
    track=8,
    approach=12,
    margin=4,
)
FIGURES: Final = replace(NARROW, labels="figures")
NARROW_PATH: Final = replace(NARROW, label=10.5, labels="turns")
