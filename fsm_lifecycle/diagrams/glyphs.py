"""Owns the small drawing of each tone, which says the tone without its colour. Must not know where it stands."""

from __future__ import annotations

from typing import Final

_RING: Final = '<circle cx="6" cy="6" r="4.25" fill="none" stroke="currentColor" stroke-width="1.5"/>'
_DISC: Final = '<circle cx="6" cy="6" r="5" fill="currentColor"/>'
_CUT: Final = 'fill="none" class="lc-cut" stroke="#fff" stroke-width="1.5"'

#: What is drawn in a square of 12 by 12 for each tone.
GLYPHS: Final = {
    "new": _RING,
    "active": f'{_RING}<path d="M6 1.75a4.25 4.25 0 0 1 0 8.5z" fill="currentColor"/>',
    "wait": f'{_RING}<path d="M4.75 4.25v3.5M7.25 4.25v3.5" stroke="currentColor" stroke-width="1.4"/>',
    "alert": (
        '<path d="M6 1.2 11.3 10.6H.7z" fill="none" stroke="currentColor" stroke-width="1.4" '
        'stroke-linejoin="round"/><path d="M6 4.6v2.6M6 8.3v1" stroke="currentColor" stroke-width="1.4"/>'
    ),
    "done": f'{_DISC}<path d="m3.6 6.1 1.7 1.7 3.1-3.5" {_CUT}/>',
    "stop": f'{_DISC}<path d="M3.5 6h5" {_CUT}/>',
}
