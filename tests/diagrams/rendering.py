"""Owns reading a drawn SVG back: its elements by class, its texts, its coordinates. Must not know what is right."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator

SVG = "{http://www.w3.org/2000/svg}"


def parsed(markup: str) -> ET.Element:
    """The root of an SVG, by a parser that stops at the first fault."""
    return ET.fromstring(markup)


def classed(root: ET.Element, *names: str) -> list[ET.Element]:
    """Every element that has all of these classes."""
    return [e for e in root.iter() if set(names) <= set(e.get("class", "").split())]


def texts(element: ET.Element) -> list[str]:
    """The text of each <text> inside, in order."""
    return [text.text or "" for text in element.iter(f"{SVG}text")]


def word(element: ET.Element) -> str:
    """All text inside, joined."""
    return " ".join(texts(element))


def size(root: ET.Element) -> tuple[float, float]:
    """Width and height of the drawing."""
    _, _, width, height = map(float, root.get("viewBox", "").split())
    return width, height


def number(element: ET.Element, name: str) -> float:
    return float(element.get(name, "nan"))


def points(root: ET.Element) -> Iterator[tuple[float, float]]:
    """Every coordinate of every line; the small drawings of tones are not among them."""
    for path in root.iter(f"{SVG}path"):
        if path.get("class") and path.get("class") != "lc-cut":
            found = [float(n) for n in re.findall(r"-?\d+\.?\d*", path.get("d", ""))]
            yield from zip(found[::2], found[1::2], strict=True)
