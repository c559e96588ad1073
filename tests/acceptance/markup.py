"""Owns judging one page's HTML as a strict reader would: nothing unclosed, no id twice, nothing inline.

Must not know what the page is about.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
#: Elements that end an open paragraph.
BLOCKS = {
    "article",
    "aside",
    "details",
    "div",
    "dl",
    "fieldset",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "header",
    "main",
}
BLOCKS |= {"footer", "figure", "hr", "nav", "ol", "p", "pre", "section", "table", "ul"}
#: Attributes that name elements of the same page.
NAMING = ("for", "aria-describedby", "aria-labelledby", "aria-controls", "headers", "list")


class Page(HTMLParser):
    """One page, read once. What is wrong with it stands in ``faults``."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.faults: list[str] = []
        self.open: list[str] = []
        self.ids: list[str] = []
        self.named: list[tuple[str, str]] = []
        self.links: list[str] = []
        self.forms: list[dict[str, str]] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()
        self._end()

    @property
    def text(self) -> str:
        """What stands on the page, without tags and with single spaces."""
        return " ".join(" ".join(self.words).split())

    def with_class(self, name: str) -> list[dict[str, str]]:
        return [attrs for _, attrs in self.elements if name in attrs.get("class", "").split()]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if len(given) < len(attrs):
            self.faults.append(f"an attribute twice: <{tag} {attrs}>")
        self._inline(tag, given)
        self._place(tag, given)
        self.elements.append((tag, given))
        if "id" in given:
            self.ids.append(given["id"])
        self.named += [(name, one) for name in NAMING if name in given for one in given[name].split()]
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # Only within a picture does a slash close an element.
        closes = "svg" in self.open or tag == "svg"
        self.handle_starttag(tag, attrs)
        if closes and tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID or not self.open or self.open[-1] != tag:
            self.faults.append(f"</{tag}> closes {self.open[-3:]} at {self.getpos()}")
            if tag in self.open:
                while self.open.pop() != tag:
                    pass
            return
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("script", "style"):
            self.words.append(data)

    def _inline(self, tag: str, given: dict[str, str]) -> None:
        if tag == "style" or "style" in given or (tag == "script" and "src" not in given):
            self.faults.append(f"inline: <{tag} {given}>")
        self.faults += [f"handler: {name} on <{tag}>" for name in given if name.startswith("on")]
        for name in ("src", "href", "action", "formaction"):
            if re.match(r"\s*(https?:|//|javascript:|data:)", given.get(name, ""), re.IGNORECASE):
                self.faults.append(f"from elsewhere: {name}={given[name]}")

    def _place(self, tag: str, given: dict[str, str]) -> None:
        if tag in BLOCKS and "p" in self.open:
            self.faults.append(f"<{tag}> within <p> at {self.getpos()}")
        if tag in ("a", "button", "form", "label") and tag in self.open:
            self.faults.append(f"<{tag}> within <{tag}> at {self.getpos()}")
        if tag == "li" and self.open and self.open[-1] not in ("ul", "ol", "menu"):
            self.faults.append(f"<li> within <{self.open[-1]}> at {self.getpos()}")
        if tag in ("td", "th") and self.open and self.open[-1] != "tr":
            self.faults.append(f"<{tag}> within <{self.open[-1]}> at {self.getpos()}")

    def _end(self) -> None:
        if self.open:
            self.faults.append(f"never closed: {self.open}")
        twice = sorted({one for one in self.ids if self.ids.count(one) > 1})
        if twice:
            self.faults.append(f"ids twice: {twice}")
        if "" in self.ids:
            self.faults.append("an empty id")
        for name, one in self.named:
            if one not in self.ids:
                self.faults.append(f"{name} names no element: {one}")
