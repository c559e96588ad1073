"""Owns strict readers of the two text formats: what they take is a subset of what Mermaid and Graphviz take.

Must not know how the texts are written.
"""

from __future__ import annotations

import html
import re
import shutil
import subprocess
from dataclasses import dataclass, field

# Mermaid: docs of stateDiagram-v2. A label is letters, digits, blanks and entities, so nothing in it can be grammar.
_LABEL = r"(?P<label>(?:[^\W_]|\ |\#\d+;)+)"
_MERMAID = {
    "head": re.compile(r"stateDiagram-v2"),
    "open": re.compile(rf'state "{_LABEL}" as (?P<id>m\d+) \{{', re.VERBOSE | re.IGNORECASE),
    "close": re.compile(r"\}"),
    "state": re.compile(rf'state\ "{_LABEL}"\ as\ (?P<id>[msx\d]+)', re.VERBOSE),
    "initial": re.compile(r"\[\*\] --> (?P<id>[ms\d]+)"),
    "final": re.compile(r"(?P<id>[ms\d]+) --> \[\*\]"),
    "row": re.compile(rf"(?P<a>[msx\d]+)\ -->\ (?P<b>[msx\d]+)\ :\ {_LABEL}", re.VERBOSE),
    "style": re.compile(r"classDef [a-z]+ stroke-dasharray: \d+ \d+"),
    "styled": re.compile(r"class x\d+(,x\d+)* [a-z]+"),
}
_MERMAID["open"] = re.compile(rf'state\ "{_LABEL}"\ as\ (?P<id>m\d+)\ \{{', re.VERBOSE)

# DOT: https://graphviz.org/doc/info/lang.html
_DOT = re.compile(
    r'\s*(?:(?P<string>"(?:[^"\\]|\\["\\])*")|(?P<id>[A-Za-z_][A-Za-z_0-9]*|\d+)|(?P<mark>->|[{}\[\]=]))'
)


@dataclass
class Read:
    """What a text says: labels of states by id, and (source id, label, target id) of rows."""

    states: dict[str, str] = field(default_factory=dict)
    rows: list[tuple[str, str, str]] = field(default_factory=list)
    initial: list[str] = field(default_factory=list)
    final: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)

    def labelled(self) -> list[tuple[str, str, str]]:
        """The rows with the labels of their states."""
        return [(self.states[a], event, self.states[b]) for a, event, b in self.rows]


def read_mermaid(text: str) -> Read:
    """Raises ``ValueError`` for a line that is not one of the few that a state diagram may have."""
    found = Read()
    for line in text.splitlines():
        kind, match = next(
            ((k, m) for k, pattern in _MERMAID.items() if (m := pattern.fullmatch(line.strip()))),
            (None, None),
        )
        if match is None:
            raise ValueError(f"Mermaid does not take {line!r}.")
        if kind == "state":
            found.states[match["id"]] = _decoded(match["label"])
        elif kind == "row":
            found.rows.append((match["a"], _decoded(match["label"]), match["b"]))
        elif kind == "initial":
            found.initial.append(match["id"])
        elif kind == "final":
            found.final.append(match["id"])
        elif kind == "open":
            found.groups.append(_decoded(match["label"]))
            found.states[match["id"]] = _decoded(match["label"])
    return found


def _decoded(label: str) -> str:
    """As Mermaid: entities become characters once the grammar has been read."""
    return re.sub(r"#(\d+);", lambda m: chr(int(m[1])), label)


def read_dot(text: str) -> Read:
    """Raises ``ValueError`` for a character outside strings, names and marks. Asks Graphviz too, where it is there."""
    tokens, at = [], 0
    while at < len(text.rstrip()):
        match = _DOT.match(text, at)
        if match is None:
            raise ValueError(f"DOT does not take {text[at : at + 40]!r}.")
        tokens.append(match[0].strip())
        at = match.end()
    if shutil.which("dot"):
        subprocess.run(["dot", "-Tcanon"], input=text, text=True, check=True, capture_output=True)
    found = Read()
    for i, token in enumerate(tokens):
        if token != "label":
            continue
        label = _unquoted(tokens[i + 2])
        if tokens[i - 1] != "[":
            found.groups.append(label)
        elif tokens[i - 3] == "->":
            found.rows.append((tokens[i - 4], label, tokens[i - 2]))
        elif not tokens[i - 2].endswith("_start"):
            found.states[tokens[i - 2]] = label
    return found


def _unquoted(token: str) -> str:
    assert token[0] == token[-1] == '"'
    return html.unescape(re.sub(r'\\(["\\])', r"\1", token[1:-1]))
