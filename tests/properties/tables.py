"""Owns random tables: hypothesis strategies for members of a nested `Lifecycle` class.

Must not know what is done with them. States are named by plain values, so that any member can be replaced.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

from fsm_lifecycle import ANY, Branch, Event, State, guard

#: A nested class' members by name.
Members = dict[str, Any]


@guard("The flag is down.")
def is_flagged(record: Any) -> bool:
    return bool(record.flag)


@guard("It is not big.")
def is_big(record: Any) -> bool:
    return bool(record.size > 3)


@guard("It is odd.")
def is_even(record: Any, firing: Any) -> str | bool:
    return True if record.size % 2 == 0 else f"{record.size} is odd."


GUARDS = (is_flagged, is_even)


@st.composite
def wild(draw: Any) -> Members:
    """Any table that can be fired on, sound or not: loops, dead ends, terminal states left by compensation."""
    values = [f"s{n}" for n in range(draw(st.integers(1, 5)))]
    terminal = {value for value in values if draw(st.integers(0, 3)) == 0}
    members: Members = {
        value: State(value, initial=value == "s0", terminal=value in terminal) for value in values
    }
    for number in range(draw(st.integers(1, 6))):
        sources = draw(st.lists(st.sampled_from(values), min_size=1, max_size=3, unique=True))
        if draw(st.integers(0, 4)) == 0:
            sources.append(ANY)
        members[f"event_{number}"] = Event(
            *sources,
            to=draw(targets(values)),
            guards=draw(st.lists(st.sampled_from(GUARDS), max_size=2, unique=True)),
            compensating=any(source in terminal for source in sources),
        )
    return members


def targets(values: list[str]) -> st.SearchStrategy[Any]:
    """A state, or a branch of one or two cases."""
    one = st.sampled_from(values)
    branch = st.tuples(one, one, one).map(
        lambda three: Branch((is_big, three[0]), (is_even, three[1]), otherwise=three[2])
    )
    return one | one | one | branch


@st.composite
def sound(draw: Any) -> Members:
    """A table without any defect: every state is reached, and every open one has a way out."""
    chain = [f"s{n}" for n in range(draw(st.integers(1, 5)))]
    ends = [f"t{n}" for n in range(draw(st.integers(0, 3)))]
    if len(chain) == 1 and not ends:
        ends = ["t0"]
    members: Members = {value: State(value, initial=value == "s0") for value in chain}
    members.update({value: State(value, terminal=True) for value in ends})
    for number, (here, there) in enumerate(pairwise(chain)):
        members[f"step_{number}"] = Event(here, to=there)
    for number, end in enumerate(ends):
        members[f"finish_{number}"] = Event(chain[-1], draw(st.sampled_from(chain)), to=end)
    if not ends:
        members["again"] = Event(chain[-1], to=chain[0])
    everything = [*chain, *ends]
    for number in range(draw(st.integers(0, 3))):
        sources = draw(st.lists(st.sampled_from(everything), min_size=1, max_size=3, unique=True))
        members[f"extra_{number}"] = Event(
            *sources,
            *([ANY] if draw(st.booleans()) else []),
            to=draw(targets(everything)),
            guards=draw(st.lists(st.sampled_from(GUARDS), max_size=2, unique=True)),
            compensating=bool(set(sources) & set(ends)),
            hidden=draw(st.booleans()),
        )
    return members
