"""A sound lifecycle has no defect, however it is declared; and every check there is has a test."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from datetime import timedelta
from types import ModuleType
from typing import Any

import pytest
from django import forms
from django.apps import apps
from django.core.checks import run_checks

from fsm_lifecycle import (
    ANY,
    Branch,
    BusinessHours,
    Event,
    Retention,
    Snapshot,
    State,
    fires,
    guard,
    on_commit,
)
from fsm_lifecycle.checks import agents, api, ledger, lifecycles, mcp, project
from fsm_lifecycle.definition import api_fields, defects, timed_defects
from fsm_lifecycle.models import LifecycleModel
from tests.checks import (
    test_agents,
    test_api,
    test_ledger,
    test_mcp,
    test_models,
    test_project,
    test_tables,
    test_timed,
)
from tests.checks.asking import ids, messages, sound_members, thing
from tests.definition.declaring import declare, lifecycle
from tests.testapp.models import Invoice

pytestmark = pytest.mark.pure

Model = type[LifecycleModel]
a, b, c = State("a", initial=True), State("b"), State("c", terminal=True)


class Form(forms.Form):
    day = forms.DateField()


class Remark(forms.Form):
    remark = forms.CharField(required=False)


@guard("No.")
def ask(record: Any) -> bool:
    return True


def act(record: Any, firing: Any) -> None: ...


def more(*sources: Any, to: Any = b, **options: Any) -> Model:
    """The sound table with one event more."""
    return thing(more=Event(*(sources or (a,)), to=to, **options))


SOUND: dict[str, Callable[[], Model]] = {
    "a plain one": thing,
    "one that is left by a compensating event": lambda: more(c, to=a, compensating=True),
    "a loop": lambda: more(a, to=a),
    "ANY": lambda: more(ANY, to=c),
    "a branch": lambda: more(to=Branch((ask, b), otherwise=c)),
    "one guard in a guard list and in a branch": lambda: more(to=Branch((ask, b), otherwise=c), guards=[ask]),
    "effects of every kind": lambda: more(effects=[act, on_commit(act), fires(lambda record: None, "x")]),
    "a form": lambda: more(arguments=Form),
    "an event that fires by itself": lambda: more(after=timedelta(days=1)),
    "an event at a time of the record": lambda: more(at="state_since"),
    "one with a form that nobody has to fill in": lambda: more(after=timedelta(days=1), arguments=Remark),
    "business hours": lambda: more(after=timedelta(days=1), guards=[BusinessHours("Asia/Singapore")]),
    "a snapshot": lambda: thing(snapshot=Snapshot.terminal("state")),
    "a label": lambda: thing(label="old.name"),
    "a retention": lambda: thing(retention=Retention(after=timedelta(days=3650), states=[c])),
    "a retention of one state": lambda: thing(retention=Retention(after=timedelta(seconds=1), states="c")),
    "one state for ever": lambda: declare(lifecycle(a=State("a", initial=True, terminal=True))),
    "a value of 64 characters in any script": lambda: thing(
        c=State("Ω" * 64, terminal=True), end=Event(b, to="Ω" * 64)
    ),
    "states written as values": lambda: more("a", to="b"),
    "a removed event": lambda: declare(
        lifecycle(lifecycle(**sound_members(), back=Event(b, to=a)), back=None)
    ),
    "a child": lambda: declare(
        lifecycle(Invoice.Lifecycle, label="testapp.invoice"), Invoice, meta={"proxy": True}
    ),
}


@pytest.mark.parametrize("make", SOUND.values(), ids=SOUND)
def test_a_sound_lifecycle_has_no_defect(make: Callable[[], Model]) -> None:
    assert messages(make()) == []


def test_the_models_of_the_tests_and_of_the_sample_are_sound() -> None:
    assert sum(issubclass(model, LifecycleModel) for model in apps.get_models()) > 10
    assert run_checks(tags=["fsm_lifecycle"]) == []


def test_two_defects_are_both_named() -> None:
    found = messages(thing(a=State("a"), colour="red"))
    assert ids(found) == ["E002", "W021"]


def test_every_check_in_the_source_is_tried() -> None:
    written, tried = set(), set()
    for module in (agents, api, api_fields, defects, ledger, lifecycles, mcp, project, timed_defects):
        written |= _ids_in(module)
    for module in (
        test_agents,
        test_api,
        test_ledger,
        test_mcp,
        test_models,
        test_project,
        test_tables,
        test_timed,
    ):
        tried |= _ids_in(module)
    assert written == tried


def _ids_in(module: ModuleType) -> set[str]:
    return set(re.findall(r'"(?:fsm_lifecycle\.)?([EW]\d{3})"', inspect.getsource(module)))
