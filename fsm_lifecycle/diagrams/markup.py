"""Owns SVG elements as text, with everything escaped. Must not know what they draw."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape

from fsm_lifecycle.diagrams.strokes import number


def element(name: str, attributes: Mapping[str, str | float], *inside: str) -> str:
    """An element. Attribute values are escaped here; ``inside`` is markup, so a text goes through ``said`` first."""
    written = "".join(
        f' {key}="{escape(value) if isinstance(value, str) else number(value)}"'
        for key, value in attributes.items()
        if value != ""
    )
    return f"<{name}{written}>{''.join(inside)}</{name}>" if inside else f"<{name}{written}/>"


def said(text: str) -> str:
    """A text as markup."""
    return escape(text, quote=False)


def classes(names: Iterable[str]) -> str:
    """A class attribute without empty names."""
    return " ".join(name for name in names if name)
