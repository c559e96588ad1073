"""The fingerprint: the same table has the same one, another table has another."""

import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import rfc8785
from django import forms
from django.apps import apps

from fsm_lifecycle import CRUD, Branch, Event, Firing, Role, Snapshot, State, effect, guard, on_commit
from fsm_lifecycle.definition import Table
from fsm_lifecycle.ledger.canonical import canon
from fsm_lifecycle.models import LifecycleModel
from tests.definition.declaring import lifecycle

pytestmark = pytest.mark.pure

MODELS = [model for model in apps.get_models() if issubclass(model, LifecycleModel)]


@guard("No.", label="Asks something")
def first(record: Any) -> bool:
    return True


@guard("No.")
def second(record: Any) -> bool:
    return True


@effect("Does it", outside=False)
def act(record: Any, firing: Firing) -> None: ...


class Plain(forms.Form):
    day = forms.DateField()


class Longer(forms.Form):
    day = forms.DateField()
    note = forms.CharField()


def table(changes: dict[str, Any] | None = None, **event: Any) -> Table:
    """A small table; `event` overrides how its one event is declared, `changes` its members."""
    options: dict[str, Any] = {"to": "b", "guards": [first], "effects": [act], **event}
    sources = options.pop("sources", ["a"])
    members = {
        "a": State("a", initial=True),
        "b": State("b"),
        "c": State("c", terminal=True),
        "go": Event(*sources, **options),
        "end": Event("b", to="c"),
        "owner": Role("owner", crud=CRUD.READ, may=["go"]),
        **(changes or {}),
    }
    return Table(lifecycle(**members))


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_it_is_the_hash_of_the_canonical_bytes(model: type[LifecycleModel]) -> None:
    found = model.lifecycle
    assert found.fingerprint == hashlib.sha256(canon(found.to_dict())).hexdigest()
    assert found.json.encode() == canon(found.to_dict()) == rfc8785.dumps(found.to_dict())


def test_it_covers_text_of_every_kind_by_the_same_bytes() -> None:
    odd = table({"a": State('ä\u2028"\\/\x7f\U0001f600', initial=True), "gø": Event("b", to="c")})
    assert odd.fingerprint == hashlib.sha256(canon(odd.to_dict())).hexdigest()


def test_the_same_declaration_written_twice_has_the_same_one() -> None:
    assert table().fingerprint == table().fingerprint


SAME: dict[str, Callable[[], Table]] = {
    "a state's label": lambda: table({"b": State("b", label="Bee")}),
    "a state's description": lambda: table({"b": State("b", description="The second.")}),
    "a state's tone": lambda: table({"b": State("b", tone="alert")}),
    "a state's time until it is stuck": lambda: table({"b": State("b", stuck_after=timedelta(1))}),
    "an event's label": lambda: table(label="Off we go"),
    "an event's description": lambda: table(description="Goes."),
    "a role's label": lambda: table({"owner": Role("owner", crud=CRUD.READ, may=["go"], label="Boss")}),
    "the attribute a state has": lambda: table({"b": None, "bee": State("b")}),
    "the order of declaration": lambda: Table(
        lifecycle(**dict(reversed([(n, m) for n, m in vars(table().declaration).items() if n[0] != "_"])))
    ),
    "a source named twice": lambda: table(sources=["a", "a"]),
    "the snapshot policy": lambda: table({"snapshot": Snapshot.every()}),
}


@pytest.mark.parametrize("changed", SAME.values(), ids=SAME)
def test_it_stays_when_only_this_changes(changed: Callable[[], Table]) -> None:
    assert changed().fingerprint == table().fingerprint


OTHER: dict[str, Callable[[], Table]] = {
    "another state": lambda: table({"d": State("d")}),
    "another initial state": lambda: table({"a": State("a"), "b": State("b", initial=True)}),
    "another terminal state": lambda: table({"b": State("b", terminal=True)}),
    "a state's value": lambda: table({"c": State("C", terminal=True), "end": Event("b", to="C")}),
    "another event": lambda: table({"back": Event("b", to="a")}),
    "another name of an event": lambda: table({"end": None, "finish": Event("b", to="c")}),
    "one source more": lambda: table(sources=["a", "b"]),
    "another target": lambda: table(to="c"),
    "a branch instead of a target": lambda: table(to=Branch((second, "c"), otherwise="b")),
    "no guard": lambda: table(guards=[]),
    "another guard": lambda: table(guards=[second]),
    "one guard more": lambda: table(guards=[first, second]),
    "no effect": lambda: table(effects=[]),
    "an effect after commit": lambda: table(effects=[on_commit(act)]),
    "an effect that is durable": lambda: table(effects=[on_commit(act, retry=True)]),
    "an effect that reaches outside": lambda: table(effects=[on_commit(act, outside=True)]),
    "a form": lambda: table(arguments=Plain),
    "a stored argument": lambda: table(arguments=Plain, stores=["day"]),
    "compensating": lambda: table(compensating=True),
    "hidden": lambda: table(hidden=True),
    "not_by": lambda: table(not_by=["end"]),
    "after": lambda: table(after=timedelta(microseconds=1)),
    "at": lambda: table(at="due_on"),
    "one role more": lambda: table({"viewer": Role("viewer")}),
    "a role's capabilities": lambda: table({"owner": Role("owner", crud=CRUD.ALL, may=["go"])}),
    "a role's events": lambda: table({"owner": Role("owner", crud=CRUD.READ, may=["go", "end"])}),
    "a default role": lambda: table({"owner": Role("owner", crud=CRUD.READ, may=["go"], default=True)}),
}


@pytest.mark.parametrize("changed", OTHER.values(), ids=OTHER)
def test_it_changes_with_this(changed: Callable[[], Table]) -> None:
    assert changed().fingerprint != table().fingerprint


def test_no_two_of_these_tables_share_one() -> None:
    prints = [make().fingerprint for make in OTHER.values()]
    assert len(set(prints)) == len(prints)


def test_forms_with_other_fields_are_other_tables() -> None:
    assert table(arguments=Plain).fingerprint != table(arguments=Longer).fingerprint


def test_branches_in_another_order_are_another_table() -> None:
    there = table(to=Branch((first, "b"), (second, "c"), otherwise="a"))
    back = table(to=Branch((second, "c"), (first, "b"), otherwise="a"))
    assert there.fingerprint != back.fingerprint


def test_its_plain_form_holds_names_and_flags_and_no_labels() -> None:
    found = table(arguments=Longer, stores=["note", "day"]).to_dict()
    assert found["states"] == [
        {"value": "a", "initial": True, "terminal": False},
        {"value": "b", "initial": False, "terminal": False},
        {"value": "c", "initial": False, "terminal": True},
    ]
    go = next(event for event in found["events"] if event["name"] == "go")
    assert (go["sources"], go["targets"], go["guards"]) == (["a"], ["b"], ["first"])
    assert (go["arguments"], go["stores"]) == (["day", "note"], ["day", "note"])
    assert go["effects"] == [{"name": "act", "after_commit": False, "retry": False, "outside": False}]
    assert found["roles"] == [{"value": "owner", "crud": ["READ"], "may": ["go"], "default": False}]
