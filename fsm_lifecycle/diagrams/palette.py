"""Owns the colours of a diagram that has no style sheet beside it: attributes as the fallback, and a style of its own.

Presentation attributes lose against any style sheet, so one markup serves a page that has ``diagram.css`` and one that
has not. The rules themselves stand in ``static/fsm_lifecycle/diagram.css`` alone: a standalone file carries a copy.
Must not know what is drawn.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Final

#: Tone → background, text and line in light, then in dark.
TONES: Final = {
    "new": ("#e9eff3", "#3d4f5d", "#5b7282", "#26313a", "#c9d7e1", "#8ba3b4"),
    "active": ("#e1effa", "#0b5286", "#2472ad", "#0e2f4a", "#a5d5f8", "#5aa9e0"),
    "wait": ("#fdf0d0", "#744700", "#a86c00", "#3a2a05", "#f3cf78", "#d9a02e"),
    "alert": ("#fde8e6", "#9c1f17", "#c8372d", "#44150f", "#ffb9b0", "#ef6f62"),
    "done": ("#dff3e4", "#17602f", "#2b8a4b", "#0f3420", "#97e2b0", "#4fb775"),
    "stop": ("#ece9f5", "#4e4180", "#7564b3", "#2a2448", "#cec4f4", "#9b8be0"),
}
_PAGE, _TEXT, _LINE, _NEXT, _QUIET = "#fff", "#333", "#8b8b8b", "#2472ad", "#666"
_LIGHT: Final = (
    "--body-bg:#fff;--body-fg:#333;--lc-line-strong:#8b8b8b;--lc-quiet:#666;--lc-active:#2472ad;"
    "--font-family-primary:system-ui,-apple-system,Segoe UI,Roboto,Helvetica,Arial,sans-serif"
)
_DARK: Final = (
    "--body-bg:#121212;--body-fg:#eee;--lc-line-strong:#8a8a8a;--lc-quiet:#b4b4b4;--lc-active:#5aa9e0"
)
_SHEET: Final = Path(__file__).resolve().parent.parent / "static" / "fsm_lifecycle" / "diagram.css"

#: Kind of line → its attributes without a style sheet.
EDGE: Final = {
    "": {"fill": "none", "stroke": _LINE, "stroke-width": "1.1"},
    "is-taken": {"fill": "none", "stroke": _TEXT, "stroke-width": "2"},
    "is-next": {"fill": "none", "stroke": _NEXT, "stroke-width": "1.6", "stroke-dasharray": "5 3"},
    "is-compensating": {"fill": "none", "stroke": _LINE, "stroke-width": "1.1", "stroke-dasharray": "2 3"},
}
HALO: Final = {"fill": "none", "stroke": _PAGE, "stroke-width": "5"}
PLATE: Final = {"fill": _PAGE}
LABEL: Final = {"fill": _TEXT}
QUIET: Final = {"fill": _QUIET}
TURN: Final = {"fill": _TEXT}
TURN_TEXT: Final = {"fill": _PAGE, "font-weight": "600"}


def head(kind: str) -> dict[str, str]:
    """The attributes of an arrowhead."""
    return {"fill": EDGE[kind]["stroke"]}


def box(tone: str, current: bool, idle: bool) -> dict[str, str]:
    """The attributes of a state's box."""
    background, _, line, *_ = TONES[tone]
    if idle:
        return {"fill": _PAGE, "stroke": _LINE, "stroke-width": "1"}
    return {"fill": background, "stroke": line, "stroke-width": "2.5" if current else "1"}


def name(tone: str, idle: bool) -> dict[str, str]:
    """The attributes of a state's name."""
    return {"fill": _QUIET if idle else TONES[tone][1]}


def glyph(tone: str, idle: bool) -> dict[str, str]:
    """The attributes of a tone's drawing."""
    return {"color": _LINE if idle else TONES[tone][2]}


@cache
def sheet() -> str:
    """The style of a standalone file: tokens in light and dark, then the rules of ``diagram.css``."""
    light = "".join(f".t-{t}{{--t-bg:{c[0]};--t-fg:{c[1]};--t:{c[2]}}}" for t, c in TONES.items())
    dark = "".join(f".t-{t}{{--t-bg:{c[3]};--t-fg:{c[4]};--t:{c[5]}}}" for t, c in TONES.items())
    rules = re.sub(r"/\*.*?\*/", "", _SHEET.read_text(encoding="utf-8"), flags=re.DOTALL)
    rules = re.sub(r"\s+", " ", rules).strip()
    return (
        f".lc-graph{{{_LIGHT}}}{light}@media (prefers-color-scheme:dark){{.lc-graph{{{_DARK}}}{dark}}}{rules}"
    )
