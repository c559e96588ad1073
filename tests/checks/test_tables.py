"""Every defect that a table can have is named by its own check, and by no other."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django import forms
from django.core.checks import Error, Warning
from django.db import models

from fsm_lifecycle import Branch, Event, Retention, Role, State, guard, on_commit
from fsm_lifecycle.definition import Table, defects
from fsm_lifecycle.models import LifecycleModel
from tests.checks.asking import ids, messages, sound_members, thing
from tests.definition.declaring import declare, lifecycle
from tests.testapp.models import Light

pytestmark = pytest.mark.pure

Model = type[LifecycleModel]
a, b, c = State("a", initial=True), State("b"), State("c", terminal=True)
YEAR = timedelta(days=365)


class Form(forms.Form):
    day = forms.DateField()


class ReservedForm(forms.Form):
    actor = forms.CharField()


class CreatorForm(forms.Form):
    created_by = forms.CharField()


@guard("No.")
def ask(record: Any) -> bool:
    return True


class Question:
    def __call__(self, record: Any) -> bool:
        return True


async def ask_later(record: Any) -> bool:
    return True


def ask_of_three(record: Any, firing: Any, third: Any) -> bool:
    return True


def ask_of_nobody() -> bool:
    return True


def act(record: Any, firing: Any) -> None: ...


async def act_later(record: Any, firing: Any) -> None: ...


def act_alone(record: Any) -> None: ...


def named_ask(name: str) -> Callable[[Any], bool]:
    def question(record: Any) -> bool:
        return True

    question.__name__ = name
    return question


def keep(after: Any, states: Any) -> Model:
    return thing(retention=Retention(after=after, states=states))


def more(*sources: Any, to: Any = b, **options: Any) -> Model:
    """The sound table with one event more."""
    return thing(more=Event(*(sources or (a,)), to=to, **options))


# What is wrong → the check that says so, a model with exactly that, and a name its message must hold.
DEFECTS: dict[str, tuple[str, Callable[[], Model], str]] = {
    "no states": ("E001", lambda: declare(lifecycle(label="x.y")), "no states"),
    "no initial state": ("E002", lambda: thing(a=State("a")), "initial"),
    "two initial states": ("E003", lambda: thing(b=State("b", initial=True)), "“b”"),
    "one value twice": ("E004", lambda: thing(d=State("b")), "“b”"),
    "an empty value": (
        "E005",
        lambda: thing(d=State("", terminal=True), more=Event(a, to="")),
        "“”",
    ),
    "a value with a blank at its end": (
        "E005",
        lambda: thing(c=State("c ", terminal=True), end=Event(b, to="c ")),
        "“c ”",
    ),
    "a value of 65 characters": (
        "E005",
        lambda: thing(c=State("c" * 65, terminal=True), end=Event(b, to="c" * 65)),
        "ccc",
    ),
    "a value with a line break": (
        "E005",
        lambda: thing(c=State("c\nd", terminal=True), end=Event(b, to="c\nd")),
        "c",
    ),
    "a value that is half a character": (
        "E005",
        lambda: thing(c=State("\ud800", terminal=True), end=Event(b, to="\ud800")),
        "“",
    ),
    "an unknown source": ("E006", lambda: more("nowhere"), "nowhere"),
    "an unknown source beside a known one": ("E006", lambda: more(a, "nowhere"), "nowhere"),
    "an unknown target": ("E007", lambda: more(to="nowhere"), "nowhere"),
    "an unknown target of a branch": (
        "E007",
        lambda: more(to=Branch((ask, "nowhere"), otherwise=b)),
        "nowhere",
    ),
    "an unknown target where no branch is taken": (
        "E007",
        lambda: more(to=Branch((ask, b), otherwise="nowhere")),
        "nowhere",
    ),
    "an edge out of a terminal state": ("E008", lambda: more(c, to=a), "“c”"),
    "an edge back to a terminal state": ("E008", lambda: more(c, to=c), "“c”"),
    "an unreachable state": (
        "E009",
        lambda: thing(d=State("d"), more=Event("d", to=b)),
        "“d”",
    ),
    "a state with no way out": ("W010", lambda: thing(d=State("d"), more=Event(a, to="d")), "“d”"),
    "a state that only leads to itself": (
        "W010",
        lambda: thing(d=State("d"), more=Event(a, "d", to="d")),
        "“d”",
    ),
    "a guard that is a name": ("E011", lambda: more(guards=["has_paper"]), "has_paper"),
    "a guard that is a number": ("E011", lambda: more(guards=[5]), "5"),
    "a guard that is async": ("E011", lambda: more(guards=[ask_later]), "ask_later"),
    "a guard without a name": ("E011", lambda: more(guards=[lambda record: True]), "lambda"),
    "a guard whose name is an address": ("E011", lambda: more(guards=[Question()]), "Question"),
    "a guard that is a partial function": ("E011", lambda: more(guards=[partial(ask)]), "partial"),
    "a guard that takes three": ("E011", lambda: more(guards=[ask_of_three]), "ask_of_three"),
    "a guard that takes none": ("E011", lambda: more(guards=[ask_of_nobody]), "ask_of_nobody"),
    "a guard of a branch that is a name": (
        "E011",
        lambda: more(to=Branch(("has_paper", b), otherwise=b)),
        "has_paper",
    ),
    "an effect that is a name": ("E011", lambda: more(effects=["ring"]), "ring"),
    "an effect that is async": ("E011", lambda: more(effects=[on_commit(act_later)]), "act_later"),
    "an effect without a name": ("E011", lambda: more(effects=[lambda record, firing: None]), "lambda"),
    "an effect that is a partial function": ("E011", lambda: more(effects=[partial(act)]), "partial"),
    "an effect that takes the record alone": ("E011", lambda: more(effects=[act_alone]), "act_alone"),
    "two guards of one name": (
        "E012",
        lambda: more(guards=[named_ask("same"), named_ask("same")]),
        "same",
    ),
    "two cases of a branch by guards of one name": (
        "E012",
        lambda: more(to=Branch((named_ask("same"), "a"), (named_ask("same"), "c"), otherwise="b")),
        "same",
    ),
    "arguments that are no form": ("E013", lambda: more(arguments=dict), "dict"),
    "arguments that are a form already made": ("E013", lambda: more(arguments=Form()), "Form"),
    "a form with a reserved field": ("E014", lambda: more(arguments=ReservedForm), "“actor”"),
    "a stored argument that no form has": (
        "E015",
        lambda: _with_note(Event(a, to=b, stores=["note"])),
        "“note”",
    ),
    "a client who says who made the record": (
        "E016",
        lambda: _with_note(Event(a, to=b, arguments=CreatorForm, stores=["created_by"]), "created_by"),
        "created_by",
    ),
    "something that nothing reads": ("W021", lambda: thing(colour="red"), "“colour”"),
    "two default roles": (
        "E017",
        lambda: thing(r=Role("r", default=True), s=Role("s", default=True)),
        "“r” and “s”",
    ),
    "a role with an unknown event": ("E018", lambda: thing(r=Role("r", may=["fly"])), "“fly”"),
    "a role with another lifecycle's event": (
        "E018",
        lambda: thing(r=Role("r", may=[Light.Lifecycle.smash])),
        "“smash”",
    ),
    "two roles of one name": ("E019", lambda: thing(r=Role("r"), s=Role("r")), "“r”"),
    "not_by with an unknown event": ("E020", lambda: more(not_by=["fly"]), "“fly”"),
    "a role too long for a permission": ("E059", lambda: thing(r=Role("r" * 96)), "over 95"),
    "a plural that no tool can be called": (
        "E070",
        lambda: thing(tool_plural="Sent things"),
        "'Sent things'",
    ),
    "a plural that is no text": ("E070", lambda: thing(tool_plural=7), "is 7"),
    "a snapshot that is no policy": ("E022", lambda: thing(snapshot="terminal"), "'terminal'"),
    "a retention that is none": ("E025", lambda: thing(retention="ten years"), "'ten years'"),
    "a retention after what is no time": ("E025", lambda: keep(365, [c]), "after=365"),
    "a retention after no time": ("E025", lambda: keep(timedelta(0), [c]), "after=0:00:00"),
    "a retention after less than no time": ("E025", lambda: keep(-YEAR, [c]), "-365 days"),
    "a retention for ever": ("E025", lambda: keep(timedelta.max, [c]), "999999999 days"),
    "a retention without states": ("E025", lambda: keep(YEAR, []), "no state"),
    "a retention of an unknown state": ("E025", lambda: keep(YEAR, ["archived", c]), "“archived”"),
    "a retention of what is no state": ("E025", lambda: keep(YEAR, None), "“None”"),
    "a retention of records at work": ("W026", lambda: keep(YEAR, [b, c]), "“b”"),
}


def _with_note(event: Event, field: str = "note") -> Model:
    fields: dict[str, Any] = {field: models.CharField(max_length=10)}
    return declare(lifecycle(**sound_members(), more=event), **fields)


@pytest.mark.parametrize(("id_", "make", "names"), DEFECTS.values(), ids=DEFECTS)
def test_a_defect_is_named_by_its_check_alone(id_: str, make: Callable[[], Model], names: str) -> None:
    model = make()
    found = messages(model)
    assert ids(found) == [id_], found
    (message,) = found
    assert names in message.msg
    assert message.hint
    assert message.obj is model
    assert message.msg.isprintable(), "a message is one line that any terminal shows"
    assert isinstance(message, Warning if id_.startswith("W") else Error)


def test_a_table_is_judged_without_a_model_too() -> None:
    assert [d.id for d in defects.defects_of(Table(lifecycle(**{**sound_members(), "a": State("a")})))] == [
        "E002"
    ]
