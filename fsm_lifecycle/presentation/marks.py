"""Owns the icons of pages, and how they and the glyphs of states stand in one.

Must not know where they stand. Everything here is a constant, so nothing has to be escaped.
"""

from __future__ import annotations

from typing import Final

from django.utils.safestring import SafeString, mark_safe

from fsm_lifecycle.diagrams.glyphs import GLYPHS

#: What is drawn in a square of 16 by 16, by stroke.
ICONS: Final = {
    "arrow": '<path d="M2 8h11M9.5 4.5 13 8l-3.5 3.5"/>',
    "user": '<circle cx="8" cy="5" r="3"/><path d="M2.5 14c.6-3 2.8-4.5 5.5-4.5s4.9 1.5 5.5 4.5"/>',
    "agent": (
        '<rect x="2.5" y="5" width="11" height="8" rx="2"/><path d="M8 5V2.5M5.5 8.5v1.5M10.5 8.5v1.5"/>'
    ),
    "system": '<circle cx="8" cy="8" r="5.5"/><path d="M8 4.5V8l2.5 1.5"/>',
    "unknown": (
        '<circle cx="8" cy="8" r="5.5"/><path d="M6.3 6.4a1.8 1.8 0 1 1 2.4 1.7c-.5.2-.7.5-.7 1M8 11v.6"/>'
    ),
    "clock": '<circle cx="8" cy="8" r="6"/><path d="M8 4.5V8l2.5 1.5"/>',
    "lock": '<path d="M4 7V5a4 4 0 0 1 8 0v2M3 7h10v7H3z"/>',
    "tick": '<path d="m3 8.5 3.2 3.2L13 5"/>',
    "cross": '<path d="m4 4 8 8M12 4l-8 8"/>',
    "dash": '<path d="M4 8h8"/>',
    "page": '<path d="M4 2h5.5L12 4.5V14H4zM6 7h4M6 9.5h4M6 12h2.5"/>',
    "outside": '<path d="M6 3H3v10h10v-3M9 3h4v4M13 3 7.5 8.5"/>',
    "warn": '<path d="M8 2 14.5 13.5h-13zM8 6.5v3.2M8 11.2v.8"/>',
    "info": '<circle cx="8" cy="8" r="6"/><path d="M8 7.2v4M8 4.6v.8"/>',
    "link": '<path d="M6.5 9.5 9.5 6.5M7 4.5 8.5 3a3 3 0 0 1 4.5 4.5L11.5 9M9 11.5 7.5 13A3 3 0 0 1 3 8.5L4.5 7"/>',
}


def glyph(tone: str) -> SafeString:
    """The drawing of a tone; an unknown tone has the one of ``active``."""
    return mark_safe(  # noqa: S308 - a constant
        '<svg class="lc-glyph" viewBox="0 0 12 12" width="12" height="12" aria-hidden="true">'
        f"{GLYPHS.get(tone, GLYPHS['active'])}</svg>"
    )


def icon(name: str, extra: str = "") -> SafeString:
    """An icon. ``extra`` is one of the classes ``is-ok``, ``is-bad``; raises ``KeyError`` for a name there is not."""
    style = {"": "", "is-ok": " is-ok", "is-bad": " is-bad"}[extra]
    return mark_safe(  # noqa: S308 - a constant
        f'<svg class="lc-i{style}" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">{ICONS[name]}</svg>'
    )
