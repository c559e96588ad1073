"""Owns how wide a text is and where it breaks. Must not know what the text says.

Widths of ASCII are Helvetica's and Arial's (Adobe Font Metrics, public), in 1/1000 em. Roboto and Segoe UI run a
little narrower, DejaVu wider; what is drawn is set to the measured width with ``textLength``.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Final

_WIDTHS: Final = (
    "278 278 355 556 556 889 667 191 333 333 389 584 278 333 278 278 "
    + "556 " * 10
    + "278 278 584 584 584 556 1015 667 667 722 722 667 611 778 722 278 500 667 556 833 722 778 667 778 722 667 "
    "611 722 667 944 667 667 611 278 278 278 469 556 333 556 556 500 556 556 278 556 556 222 222 500 222 833 556 "
    "556 556 556 333 500 278 556 500 722 500 500 500 334 260 334 584"
)
_BEYOND: Final = {
    222: "’łŀ",
    278: "·\u0131",
    333: "“”„¡",
    400: "°",
    556: "–€£¥§«»ðþŁđ",
    584: "\u00d7÷±¬",
    611: "¿ßø",
    778: "Ø",
    889: "æ",
    944: "œ",
    1000: "…—Æ→←↗Œ",
}
_WIDTH: Final = {chr(32 + i): int(width) for i, width in enumerate(_WIDTHS.split())} | {
    char: width for width, chars in _BEYOND.items() for char in chars
}
_WEIGHT: Final = {400: 1.0, 500: 1.03, 700: 1.07}
_UNKNOWN: Final = 700
_WIDE: Final = 1000


@lru_cache(maxsize=4096)
def _character(char: str) -> tuple[int, bool]:
    """A character's width in 1/1000 em, and whether that is known rather than guessed."""
    if unicodedata.combining(char) or unicodedata.category(char) in ("Cf", "Mn"):
        return 0, ord(char) < 0x370
    plain = _WIDTH.get(char) or _WIDTH.get(unicodedata.normalize("NFD", char)[0])
    if plain:
        return plain, True
    return (_WIDE, False) if unicodedata.east_asian_width(char) in "WF" else (_UNKNOWN, False)


def width(text: str, size: float, weight: int = 400) -> float:
    """The width of a text in px at a font size in px."""
    total = sum(_character(char)[0] for char in unicodedata.normalize("NFC", text))
    return total * size / 1000 * _WEIGHT[weight]


def measurable(text: str) -> bool:
    """Whether ``width`` is known for every character, so that a text may be set to it without being distorted."""
    return all(_character(char)[1] for char in unicodedata.normalize("NFC", text))


def wrap(text: str, size: float, limit: float, weight: int = 400) -> list[str]:
    """Lines of at most ``limit`` px, broken between words; a longer word keeps a line to itself."""
    lines: list[str] = []
    line = ""
    for word in text.split():
        trial = f"{line} {word}".strip()
        if line and width(trial, size, weight) > limit:
            lines.append(line)
            trial = word
        line = trial
    return [*lines, line]
