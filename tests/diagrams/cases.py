"""Owns the shapes that diagrams go wrong on: islands, loops, crowds, long words, foreign scripts, chance.

Must not know how they are drawn.
"""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

from fsm_lifecycle.definition import Event, State, Table

Rows = list[tuple[str, str, str]]
HARD_WORDS = (
    "<b>&amp;",
    'the "quoted"',
    "審査中の書類",
    "مراجعة المستندات",
    "very" * 17,
    "“—” ¿què?",
    "🙂 done",
    " ",
)


def drawn(
    states: list[str],
    rows: Rows,
    initial: tuple[int, ...] = (0,),
    final: tuple[int, ...] = (),
    waiting: tuple[int, ...] = (),
) -> Table:
    """A table whose states and events have these labels; each row is (source, event, target)."""
    found = {
        label: State(
            f"value_{i}",
            label=label,
            initial=i in initial,
            terminal=i in final,
            tone="wait" if i in waiting else "",
        )
        for i, label in enumerate(states)
    }
    # An empty label is replaced by the value in words; a blank one is kept.
    members: dict[str, Any] = {f"state_{i}": state for i, state in enumerate(found.values())}
    grouped: dict[tuple[str, str], list[str]] = {}
    for source, event, target in rows:
        grouped.setdefault((event, target), []).append(source)
    for i, ((event, target), sources) in enumerate(grouped.items()):
        members[f"event_{i}"] = Event(*(found[s] for s in sources), to=found[target], label=event)
    return Table(type("Lifecycle", (), members))


def named(count: int) -> list[str]:
    return [f"State {i}" for i in range(count)]


def chance(count: int, rows: int, seed: int) -> Table:
    """A chain with rows thrown in: forward, back, far."""
    dice = random.Random(seed)
    names = named(count)
    found = [(names[i], f"Next {i}", names[i + 1]) for i in range(count - 1)]
    while len(found) < rows:
        here = dice.randrange(count)
        there = min(count - 1, max(0, here + dice.choice([-4, -3, -2, -1, 1, 2, 2, 3, 5, 9])))
        if here != there:
            found.append((names[here], f"Event {dice.randrange(max(1, rows // 3))}", names[there]))
    return drawn(names, found)


def pairs(names: list[str]) -> Rows:
    return [(a, f"{a} to {b}", b) for a in names for b in names if a != b]


def cases() -> dict[str, Table]:
    """Each by what is hard about it."""
    abcd, eight = list("ABCD"), named(8)
    hub = named(13)
    return {
        "nothing at all": drawn([], []),
        "one state": drawn(["A"], []),
        "two states apart": drawn(["A", "B"], []),
        "no initial state": drawn(["A", "B"], [("A", "go", "B")], initial=()),
        "islands": drawn(list("ABCDE"), [("A", "go", "B"), ("C", "x", "D"), ("D", "y", "C")]),
        "many islands": drawn(
            eight, [(eight[i], "go", eight[i + 1]) for i in (0, 2, 4, 6)], initial=(0, 2, 4, 6)
        ),
        "loops on one state": drawn(["A"], [("A", f"Event {i}", "A") for i in range(7)]),
        "loops on every state": drawn(
            abcd, [(a, f"Again {a}", a) for a in abcd] + list(zip("ABC", "xyz", "BCD", strict=True))
        ),
        "twenty events on one pair": drawn(["A", "B"], [("A", f"Event number {i}", "B") for i in range(20)]),
        "there and back": drawn(["A", "B"], [("A", "go", "B"), ("B", "return", "A"), ("B", "undo", "A")]),
        "a ring": drawn(eight, [(a, "on", b) for a, b in zip(eight, eight[1:] + eight[:1], strict=True)]),
        "a chain": drawn(named(16), [(f"State {i}", f"Event {i}", f"State {i + 1}") for i in range(15)]),
        "a chain of two ways": drawn(
            eight,
            [row for a, b in pairwise(eight) for row in ((a, "on", b), (b, "back", a))],
        ),
        "a chain with every shortcut": drawn(
            eight, [(a, f"to {b}", b) for a in eight for b in eight if a < b]
        ),
        "a star outward": drawn(hub, [(hub[0], f"Choose {n}", n) for n in hub[1:]]),
        "a star inward": drawn(hub, [(n, f"Give up {n}", hub[-1]) for n in hub[:-1]]),
        "one event into a sink": drawn(hub, [(n, "Cancel", hub[-1]) for n in hub[:-1]], final=(12,)),
        "a diamond": drawn(abcd, [("A", "l", "B"), ("A", "r", "C"), ("B", "l2", "D"), ("C", "r2", "D")]),
        "two chains crossed": drawn(
            eight,
            [(eight[i], f"Event {i}", eight[i + 2]) for i in range(6)] + [(eight[0], "swap", eight[7])],
        ),
        "everything with everything": drawn(list("ABCDE"), pairs(list("ABCDE"))),
        "declared backwards": drawn(
            ["Paid", "Sent", "Draft"],
            [("Draft", "send", "Sent"), ("Sent", "pay", "Paid"), ("Sent", "edit", "Draft")],
            initial=(2,),
        ),
        "all initial": drawn(
            abcd, [("A", "x", "B"), ("B", "y", "C"), ("C", "z", "D"), ("D", "w", "A")], initial=(0, 1, 2, 3)
        ),
        "all back to the start": drawn(
            eight,
            [(a, f"Event {a}", b) for a, b in pairwise(eight)]
            + [(n, "Start again", eight[0]) for n in eight[1:]],
        ),
        "hard words": drawn(
            list(HARD_WORDS),
            [(a, b, c) for a, b, c in zip(HARD_WORDS, HARD_WORDS[::-1], HARD_WORDS[1:], strict=False)],
        ),
        "letters of seventy": drawn(
            ["w" * 70, "W" * 70, "i" * 70], [("w" * 70, "m" * 70, "W" * 70), ("W" * 70, "l" * 70, "i" * 70)]
        ),
        "whole sentences": drawn(
            ["It has arrived and nobody has looked at it yet", "Somebody has it in charge and works on it"],
            [
                (
                    "It has arrived and nobody has looked at it yet",
                    "Take it in charge because the customer has called twice today",
                    "Somebody has it in charge and works on it",
                )
            ],
        ),
        "chance, 8 and 16": chance(8, 16, 3),
        "chance, 12 and 26": chance(12, 26, 5),
        "chance, 20 and 40": chance(20, 40, 20),
        "chance, 16 and 36": chance(16, 36, 11),
    }
