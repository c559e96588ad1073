"""Owns the Mermaid of a lifecycle (``stateDiagram-v2``). Must not know what renders it.

Every character of a label that Mermaid's grammar could read as its own is written as an entity (``#35;``).
"""

from __future__ import annotations

from collections.abc import Sequence

from fsm_lifecycle.diagrams.machine import Machine, Subject, extract


def mermaid(*subjects: Subject) -> str:
    """A state diagram; of several models each in a composite state of its own."""
    machines = [extract(subject) for subject in subjects]
    lines = ["stateDiagram-v2"]
    if len(machines) == 1:
        lines += _states(machines[0], "s", "    ")
    else:
        for i, machine in enumerate(machines):
            lines.append(f'    state "{escaped(machine.title)}" as m{i} {{')
            lines += [*_states(machine, f"m{i}s", "        "), "    }"]
    return "\n".join([*lines, *_connections(machines)]) + "\n"


def _states(machine: Machine, prefix: str, indent: str) -> Sequence[str]:
    lines = [f'state "{escaped(place.label)}" as {prefix}{i}' for i, place in enumerate(machine.places)]
    lines += [f"[*] --> {prefix}{i}" for i, place in enumerate(machine.places) if place.initial]
    lines += [
        f"{prefix}{row.source} --> {prefix}{row.target} : {escaped(machine.events[row.event].label)}"
        for row in machine.rows
    ]
    lines += [f"{prefix}{i} --> [*]" for i, place in enumerate(machine.places) if place.terminal]
    return [indent + line for line in lines]


def _connections(machines: Sequence[Machine]) -> Sequence[str]:
    """From where an event leads to the record whose event it fires, a state with a dashed border.

    Mermaid draws no line from inside one composite state to inside another, so among several models they join those.
    It dashes no line either.
    """
    here = {
        machine.model: f"m{i}" for i, machine in enumerate(machines) if machine.model and len(machines) > 1
    }
    boxes: dict[tuple[str, str], str] = {}
    rows = []
    for i, machine in enumerate(machines):
        for event, fired in machine.fired():
            end = here.get(fired.model) or boxes.setdefault((fired.model, fired.title), f"x{len(boxes)}")
            starts = [f"m{i}"] if len(machines) > 1 else [f"s{n}" for n in machine.targets(event.name)]
            label = escaped(f"{event.label} fires {fired.label}")
            rows += [f"    {start} --> {end} : {label}" for start in starts]
    if boxes:
        rows.append("    classDef elsewhere stroke-dasharray: 5 5")
        rows.append(f"    class {','.join(boxes.values())} elsewhere")
    return [f'    state "{escaped(title)}" as {name}' for (_, title), name in boxes.items()] + rows


def escaped(label: str) -> str:
    """A label in which only letters, digits and spaces stand for themselves.

    A non-breaking space stands for an empty label, which the grammar does not take.
    """
    return "".join(char if char.isalnum() or char == " " else f"#{ord(char)};" for char in label) or "#160;"
