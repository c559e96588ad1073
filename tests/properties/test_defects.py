"""Random sound definitions have no defect; with one defect put in, its check finds it and no other speaks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django import forms
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fsm_lifecycle import Branch, Event, Role, Snapshot, State, on_commit
from tests.checks.asking import ids, messages
from tests.definition.declaring import declare, lifecycle
from tests.properties.tables import Members, is_big, is_flagged, sound

pytestmark = pytest.mark.pure

Pick = Callable[[st.SearchStrategy[Any]], Any]

quick = settings(derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])


class Reserved(forms.Form):
    expected_state = forms.CharField()


class Day(forms.Form):
    day = forms.DateField()


class Since(forms.Form):
    state_since = forms.DateTimeField()


class Creator(forms.Form):
    created_by = forms.CharField()


async def later(*given: Any) -> None: ...


def alone(record: Any) -> None: ...


def states(members: Members, **flags: bool) -> list[str]:
    """The values of states with these flags."""
    found = [member for member in members.values() if isinstance(member, State)]
    return [s.value for s in found if all(getattr(s, name) is value for name, value in flags.items())]


def an_open_state(members: Members, pick: Pick) -> str:
    value: str = pick(st.sampled_from(states(members, terminal=False)))
    return value


def any_state(members: Members, pick: Pick) -> str:
    value: str = pick(st.sampled_from(states(members)))
    return value


def bad_event(**options: Any) -> Callable[[Members, Pick], Members]:
    """One event more, from and to any state, with these options."""

    def put_in(members: Members, pick: Pick) -> Members:
        event = Event(an_open_state(members, pick), **{"to": any_state(members, pick), **options})
        return {"bad": event}

    return put_in


def bad_state(value: str, **flags: Any) -> Callable[[Members, Pick], Members]:
    """One state more, which an event enters."""

    def put_in(members: Members, pick: Pick) -> Members:
        return {"bad": State(value, **flags), "enter": Event(an_open_state(members, pick), to=value)}

    return put_in


def dead_end(members: Members, pick: Pick) -> Members:
    # ANY would lead out of it.
    extras = {name: None for name in members if name.startswith("extra_")}
    return {**extras, **bad_state("x")(members, pick)}


def without_initial(members: Members, pick: Pick) -> Members:
    return {"s0": State("s0")}


def second_initial(members: Members, pick: Pick) -> Members:
    value = pick(st.sampled_from([*states(members, initial=False, terminal=False), "s9"]))
    more = {"leave": Event("s9", to="s0"), "enter": Event("s0", to="s9")} if value == "s9" else {}
    return {value: State(value, initial=True), **more}


def twin(members: Members, pick: Pick) -> Members:
    value = pick(st.sampled_from(states(members)))
    flags = members[value]
    return (
        {"twin": State(value, initial=False, terminal=flags.terminal)} if value != "s0" else _twin_of_first()
    )


def _twin_of_first() -> Members:
    return {"s8": State("s8"), "twin": State("s8"), "in_": Event("s0", to="s8"), "out": Event("s8", to="s0")}


def way_out_of_the_end(members: Members, pick: Pick) -> Members:
    return {
        "end": State("end", terminal=True),
        "enter": Event(an_open_state(members, pick), to="end"),
        "bad": Event("end", to=any_state(members, pick)),
    }


def island(members: Members, pick: Pick) -> Members:
    return {"lost": State("lost"), "leave": Event("lost", to=any_state(members, pick))}


def role(**options: Any) -> Callable[[Members, Pick], Members]:
    return lambda members, pick: {"boss": Role("boss", **options)}


DEFECTS: dict[str, tuple[list[str], Callable[[Members, Pick], Members]]] = {
    "no initial state": (["E002"], without_initial),
    "two initial states": (["E003"], second_initial),
    "one value twice": (["E004"], twin),
    "a value with blanks": (["E005"], bad_state(" x", terminal=True)),
    "a value that is too long": (["E005"], bad_state("x" * 65, terminal=True)),
    "an unknown source": (
        ["E006"],
        lambda members, pick: {"bad": Event("nowhere", to=any_state(members, pick))},
    ),
    "an unknown target": (["E007"], bad_event(to="nowhere")),
    "an unknown branch": (["E007"], bad_event(to=Branch((is_big, "nowhere"), otherwise="s0"))),
    "an edge out of a terminal state": (["E008"], way_out_of_the_end),
    "an unreachable state": (["E009"], island),
    "a dead end": (["W010"], dead_end),
    "an async guard": (["E011"], bad_event(guards=[later])),
    "a guard that does not exist": (["E011"], bad_event(guards=["has_paper"])),
    "an effect of one argument": (["E011"], bad_event(effects=[on_commit(alone)])),
    "a guard twice": (["E012"], bad_event(guards=[is_flagged, is_flagged])),
    "no form": (["E013"], bad_event(arguments=dict)),
    "a reserved argument": (["E014"], bad_event(arguments=Reserved)),
    "a created_by from outside": (["E016", "E032"], bad_event(arguments=Creator, stores=["created_by"])),
    "two default roles": (
        ["E017"],
        lambda members, pick: {"x": Role("x", default=True), "y": Role("y", default=True)},
    ),
    "a role with an unknown event": (["E018"], role(may=["fly"])),
    "not_by with an unknown event": (["E020"], bad_event(not_by=["fly"])),
    "something that nothing reads": (["W021"], lambda members, pick: {"colour": "red"}),
    "a snapshot that is none": (["E022"], lambda members, pick: {"snapshot": "every"}),
    "a timer that is over before it begins": (["E080"], bad_event(after=timedelta(days=-1))),
    "an argument in a column of ours": (["E031"], bad_event(arguments=Since, stores=["state_since"])),
    "an argument in no column": (["E032"], bad_event(arguments=Day, stores=["day"])),
    "a snapshot of no column": (["E033"], lambda members, pick: {"snapshot": Snapshot.every("day")}),
    "a timer on no field": (["E034"], bad_event(at="day")),
    "a hidden method": (["E035"], lambda members, pick: {"save": Event("s0", to="s0")}),
    "a long name": (["E038"], lambda members, pick: {"x" * 101: Event("s0", to="s0")}),
    "a long label": (["E039"], lambda members, pick: {"label": "x" * 101}),
}


@settings(quick, max_examples=100)
@given(sound())
def test_a_sound_definition_has_no_defect(members: Members) -> None:
    assert messages(declare(lifecycle(**members))) == []


@pytest.mark.parametrize(("expected", "put_in"), DEFECTS.values(), ids=DEFECTS)
@settings(quick, max_examples=12)
@given(members=sound(), data=st.data())
def test_one_defect_is_found_by_its_check(
    expected: list[str], put_in: Callable[[Members, Pick], Members], members: Members, data: Any
) -> None:
    found = messages(declare(lifecycle(**{**members, **put_in(members, data.draw)})))
    assert ids(found) == expected, [message.msg for message in found]
    assert all(message.hint for message in found)
