"""What belongs to parts that are not there yet: its own defects are named, and that it is not there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.checks import Error

from fsm_lifecycle import Event, fires, on_commit
from fsm_lifecycle.models import LifecycleModel
from tests.checks.asking import ids, messages, thing

pytestmark = pytest.mark.pure

Model = type[LifecycleModel]


def act(record: Any, firing: Any) -> None: ...


def more(**options: Any) -> Model:
    """The sound table with one event more."""
    return thing(more=Event("a", to="b", **options))


# What is wrong → the check that says so beside E023, a model with that, and a name its message must hold.
WITH_PARTS_TO_COME: dict[str, tuple[str, Callable[[], Model], str]] = {
    "at with an unknown field": ("E034", lambda: more(at="due_on"), "“due_on”"),
}


@pytest.mark.parametrize(("id_", "make", "names"), WITH_PARTS_TO_COME.values(), ids=WITH_PARTS_TO_COME)
def test_a_defect_of_a_part_to_come_is_named_beside_it(
    id_: str, make: Callable[[], Model], names: str
) -> None:
    found = messages(make())
    assert set(ids(found)) == {id_, "E023"}
    (message,) = [m for m in found if m.id == f"fsm_lifecycle.{id_}"]
    assert names in message.msg
    assert message.hint


PARTS_TO_COME: dict[str, tuple[Callable[[], Model], str]] = {
    "after": (lambda: more(after=timedelta(days=1)), "after="),
    "at": (lambda: more(at="state_since"), "at="),
    "a durable effect": (lambda: more(effects=[on_commit(act, retry=True)]), "effect “act”"),
    "a durable connection": (
        lambda: more(effects=[fires(lambda record: None, "x", on_failure="retry")]),
        "retry",
    ),
    "api_fields": (lambda: thing(api_fields=["name"]), "api_fields"),
    "tool_plural": (lambda: thing(tool_plural="things"), "tool_plural"),
}


@pytest.mark.parametrize(("make", "names"), PARTS_TO_COME.values(), ids=PARTS_TO_COME)
def test_a_part_that_is_not_there_yet_is_an_error_that_says_so(make: Callable[[], Model], names: str) -> None:
    (message,) = messages(make())
    assert isinstance(message, Error)
    assert message.id == "fsm_lifecycle.E023"
    assert names in message.msg
    assert "not part of this version" in message.msg
    assert message.hint


def test_each_part_is_named_once_however_often_it_is_used() -> None:
    found = messages(
        thing(
            tool_plural="things",
            more=Event("a", to="b", after=timedelta(days=1)),
            most=Event("b", to="c", after=timedelta(days=2)),
        )
    )
    assert ids(found) == ["E023", "E023"]
    assert any("“more”" in message.msg and "“most”" in message.msg for message in found)
