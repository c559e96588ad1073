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
    return "\n".join(lines) + "\n"


def _states(machine: Machine, prefix: str, indent: str) -> Sequence[str]:
    lines = [f'state "{escaped(place.label)}" as {prefix}{i}' for i, place in enumerate(machine.places)]
    lines += [f"[*] --> {prefix}{i}" for i, place in enumerate(machine.places) if place.initial]
    lines += [
        f"{prefix}{row.source} --> {prefix}{row.target} : {escaped(machine.events[row.event].label)}"
        for row in machine.rows
    ]
    lines += [f"{prefix}{i} --> [*]" for i, place in enumerate(machine.places) if place.terminal]
    return [indent + line for line in lines]


def escaped(label: str) -> str:
    """A label in which only letters, digits and spaces stand for themselves.

    A non-breaking space stands for an empty label, which the grammar does not take.
    """
    return "".join(char if char.isalnum() or char == " " else f"#{ord(char)};" for char in label) or "#160;"
