"""Owns the DOT of a lifecycle, for Graphviz. Must not know what renders it.

Labels are double-quoted strings (https://graphviz.org/doc/info/lang.html): quotes and backslashes are escaped, and
``&``, because Graphviz reads entities in them too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from fsm_lifecycle.diagrams.machine import Machine, Subject, extract
from fsm_lifecycle.diagrams.palette import TONES

_HEAD: Final = (
    '    graph [fontname="Helvetica" rankdir="LR"]',
    '    node [fontname="Helvetica" fontsize="13" shape="box" style="rounded,filled"]',
    '    edge [fontname="Helvetica" fontsize="12"]',
)


def dot(*subjects: Subject) -> str:
    """A digraph; of several models each in a cluster of its own."""
    machines = [extract(subject) for subject in subjects]
    name = f"Lifecycle of {machines[0].title}" if len(machines) == 1 else "Lifecycles"
    lines = [f"digraph {quoted(name)} {{", *_HEAD]
    if len(machines) == 1:
        lines += _states(machines[0], _prefix(machines, 0), "    ")
    else:
        for i, machine in enumerate(machines):
            lines += [f"    subgraph cluster_{i} {{", f"        label={quoted(machine.title)}"]
            lines += [*_states(machine, _prefix(machines, i), "        "), "    }"]
    lines += _connections(machines)
    return "\n".join([*lines, "}"]) + "\n"


def _states(machine: Machine, prefix: str, indent: str) -> Sequence[str]:
    lines = []
    for i, place in enumerate(machine.places):
        fill, text, line, *_ = TONES[place.tone]
        final = " peripheries=2" if place.terminal else ""
        lines.append(
            f'{prefix}{i} [label={quoted(place.label)} fillcolor="{fill}" fontcolor="{text}" color="{line}"{final}]'
        )
        if place.initial:
            lines.append(f'{prefix}{i}_start [label="" shape="point" width="0.15"]')
            lines.append(f"{prefix}{i}_start -> {prefix}{i}")
    for row in machine.rows:
        event = machine.events[row.event]
        dotted = ' style="dotted"' if event.compensating else ""
        lines.append(f"{prefix}{row.source} -> {prefix}{row.target} [label={quoted(event.label)}{dotted}]")
    return [indent + line for line in lines]


def _connections(machines: Sequence[Machine]) -> Sequence[str]:
    """Dashed edges from where an event leads to where the one that it fires leads; to a box for another model."""
    here = {(machine.model, event.name): i for i, machine in enumerate(machines) for event in machine.events}
    boxes: dict[tuple[str, str], str] = {}
    edges = []
    for i, machine in enumerate(machines):
        for event, fired in machine.fired():
            j = here.get((fired.model, fired.event))
            if j is None:
                ends = [boxes.setdefault((fired.model, fired.title), f"x{len(boxes)}")]
            else:
                ends = [f"{_prefix(machines, j)}{place}" for place in machines[j].targets(fired.event)]
            label = quoted(f"{event.label} fires {fired.label}")
            edges += [
                f'    {_prefix(machines, i)}{place} -> {end} [label={label} style="dashed"]'
                for place in machine.targets(event.name)
                for end in ends
            ]
    return [
        f'    {name} [label={quoted(title)} style="dashed"]' for (_, title), name in boxes.items()
    ] + edges


def _prefix(machines: Sequence[Machine], i: int) -> str:
    return "s" if len(machines) == 1 else f"m{i}s"


def quoted(text: str) -> str:
    """A double-quoted string that shows ``text`` as it is."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;")
    return f'"{escaped}"'
