"""What may be wrong with the declaration of an agent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Group

from fsm_lifecycle.agents import Budget, LifecycleAgent, registry, tool
from fsm_lifecycle.checks import agents as checks
from fsm_lifecycle.definition.defect import Defect
from sample_project.billing.models import Contract, Invoice
from tests.testapp.models import Light

pytestmark = pytest.mark.pure


def agent(**attributes: Any) -> type[LifecycleAgent]:
    """An agent for invoices that nobody else finds."""
    return type("Declared", (LifecycleAgent,), {"lifecycle": Invoice, **attributes}, register=False)


def defects(**attributes: Any) -> list[Defect]:
    return list(checks.agent_defects(agent(**attributes)))


def own(function: Callable[..., Any]) -> Callable[..., Any]:
    return tool(function)


def no_docstring(self: Any, run: Any) -> None: ...


def no_annotation(self: Any, run: Any, days=0) -> None:  # type: ignore[no-untyped-def]
    """Says something."""


def strange_annotation(self: Any, run: Any, days: frozenset[int]) -> None:
    """Says something."""


def any_arguments(self: Any, run: Any, **more: int) -> None:
    """Says something."""


def no_run(self: Any) -> None:
    """Says something."""


def unreadable(self: Any, run: Any, days: Nowhere) -> None:  # type: ignore[name-defined]  # noqa: F821
    """Says something."""


def sound(self: Any, run: Any, days: int = 0) -> None:
    """Says something."""


DEFECTS: dict[str, tuple[str, dict[str, Any], str]] = {
    "a model without a lifecycle": ("E071", {"lifecycle": Group}, "Group"),
    "an unknown label": ("E071", {"lifecycle": "billing.nothing"}, "billing.nothing"),
    "one of several without a lifecycle": ("E071", {"lifecycle": [Invoice, Group]}, "Group"),
    "an unknown event": ("E072", {"events": ["fly"]}, "“fly”"),
    "another lifecycle's event": ("E072", {"events": [Light.Lifecycle.smash]}, "“smash”"),
    "events that are a text": ("E072", {"events": "cancel"}, "'cancel'"),
    "approval of an unknown event": ("E072", {"approval": {"fly": "always"}}, "“fly”"),
    "an unknown field": ("E073", {"fields": ["colour"]}, "“colour”"),
    "fields that are a text": ("E073", {"fields": "amount"}, "'amount'"),
    "an unknown mode": ("E074", {"approval": {"cancel": "sometimes"}}, "'sometimes'"),
    "approval that is no dict": ("E074", {"approval": ["cancel"]}, "['cancel']"),
    "a budget that is none": ("E078", {"budget": 5}, "5"),
    "a cost without a price": ("E079", {"budget": Budget(cost="2.00")}, "anthropic/claude-sonnet-5-5"),
    "a tool without a docstring": ("E076", {"more": own(no_docstring)}, "docstring"),
    "a tool without an annotation": ("E076", {"more": own(no_annotation)}, "'days' has no annotation"),
    "a tool with a strange annotation": ("E076", {"more": own(strange_annotation)}, "'days'"),
    "a tool with any arguments": ("E076", {"more": own(any_arguments)}, "'more'"),
    "a tool without a run": ("E076", {"more": own(no_run)}, "the run"),
    "a tool whose annotations cannot be read": ("E076", {"more": own(unreadable)}, "NameError"),
    "a tool called like one of the table's": ("E077", {"cancel_invoice": own(sound)}, "“cancel_invoice”"),
}


@pytest.mark.parametrize(("id_", "attributes", "names"), DEFECTS.values(), ids=DEFECTS)
def test_a_defect_is_named(id_: str, attributes: dict[str, Any], names: str) -> None:
    (found,) = defects(**attributes)
    assert found.id == id_
    assert names in found.message
    assert found.hint


def test_an_unknown_event_gets_the_nearest_one_as_a_hint() -> None:
    (found,) = defects(events=["cancle"])
    assert "cancel" in found.hint


SOUND: dict[str, dict[str, Any]] = {
    "nothing but a lifecycle": {},
    "a label": {"lifecycle": "billing.Invoice"},
    "several lifecycles": {"lifecycle": [Invoice, Contract], "events": ["cancel", "suspend"]},
    "events as objects": {
        "events": [Invoice.Lifecycle.cancel],
        "approval": {Invoice.Lifecycle.cancel: "never"},
    },
    "fields and label": {"fields": ["label", "amount"]},
    "a tool": {"more": own(sound)},
}


@pytest.mark.parametrize("attributes", SOUND.values(), ids=SOUND)
def test_a_sound_agent_has_no_defect(attributes: dict[str, Any]) -> None:
    assert defects(**attributes) == []


def test_a_cost_with_a_price_is_sound(settings: Any) -> None:
    settings.FSM_LIFECYCLE = {"AGENT_PRICES": {"anthropic/claude-sonnet-5-5": {"input": 3, "output": 15}}}
    assert defects(budget=Budget(cost="2.00")) == []


@pytest.fixture
def twins() -> Iterator[None]:
    made = [
        type(name, (LifecycleAgent,), {"lifecycle": Invoice, "key": "billing.twin"})
        for name in ("One", "Other")
    ]
    yield
    for one in made:
        registry.unregister(one)


@pytest.mark.usefixtures("twins")
def test_two_agents_of_one_key_are_named_both() -> None:
    found = checks.check_agents()
    assert {(message.id, message.obj.__name__) for message in found} == {
        ("fsm_lifecycle.E075", "One"),
        ("fsm_lifecycle.E075", "Other"),
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"turns": -1},
        {"tool_calls": -1},
        {"tokens": 1.5},
        {"seconds": True},
        {"cost": "free"},
        {"cost": "-1"},
        {"cost": "NaN"},
    ],
    ids=str,
)
def test_a_budget_of_no_use_cannot_be_made(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="Budget"):
        Budget(**wrong)
