"""The JSON: machines, states, events, roles, connections."""

import json as json_

import pytest

from fsm_lifecycle import CRUD, Branch, Event, Role, State, fires, guard, on_commit
from fsm_lifecycle.definition import Table
from fsm_lifecycle.diagrams import graph, json
from tests.testapp.models import Door, Invoice

pytestmark = pytest.mark.pure


@guard("The total must be positive.", label="positive total")
def positive(record: object) -> bool:
    return True


def tell(record: object, firing: object) -> None:
    """Sends one e-mail"""


class Lifecycle:
    draft = State("draft", initial=True, description="Nobody has seen it.")
    review = State("review", tone="wait")
    done = State("done", terminal=True)

    send = Event(
        draft,
        to=Branch((positive, review), otherwise=done),
        guards=[positive],
        effects=[
            on_commit(tell, retry=True, outside=True),
            fires(lambda r: r, "start", on_failure="log", model="billing.Contract"),
        ],
        hidden=True,
    )
    reopen = Event(done, to=draft, compensating=True, not_by=[send])
    clerk = Role("clerk", crud=CRUD.READ | CRUD.UPDATE, may=[send])


def test_everything_that_is_declared_is_named() -> None:
    (machine,) = graph(Table(Lifecycle))["machines"]
    assert machine["fingerprint"] == Table(Lifecycle).fingerprint
    assert machine["states"][0] == {
        "value": "draft",
        "label": "Draft",
        "tone": "new",
        "initial": True,
        "terminal": False,
        "description": "Nobody has seen it.",
    }
    send, reopen = machine["events"]
    assert send["sources"] == ["draft"]
    assert send["targets"] == ["review", "done"]
    assert send["branch"] == [{"guard": "positive", "target": "review"}]
    assert send["guards"] == [
        {"name": "positive", "label": "positive total", "reason": "The total must be positive."}
    ]
    assert send["effects"][0] == {
        "name": "tell",
        "label": "Sends one e-mail",
        "after_commit": True,
        "retry": True,
        "outside": True,
    }
    assert (send["hidden"], send["compensating"]) == (True, False)
    assert (reopen["hidden"], reopen["compensating"], reopen["not_by"]) == (False, True, ["send"])
    assert machine["roles"] == [
        {
            "value": "clerk",
            "label": "Clerk",
            "description": "",
            "crud": ["read", "update"],
            "may": ["send"],
            "default": False,
        }
    ]


def test_what_fires_elsewhere_is_a_connection() -> None:
    assert graph(Table(Lifecycle))["connections"] == [
        {
            "model": "",
            "event": "send",
            "fires_model": "billing.Contract",
            "fires_event": "start",
            "on_failure": "log",
        }
    ]


def test_several_models_are_several_machines() -> None:
    document = graph([Invoice, Door])
    assert [machine["model"] for machine in document["machines"]] == ["testapp.Invoice", "testapp.Door"]
    assert document["version"] == 1


def test_the_arguments_of_a_form_are_named() -> None:
    pay = next(event for event in graph(Invoice)["machines"][0]["events"] if event["name"] == "pay")
    form = Invoice.lifecycle.events["pay"].arguments
    assert form is not None
    assert pay["arguments"] == list(form.base_fields)  # type: ignore[attr-defined]
    assert pay["arguments"]


def test_the_text_is_the_document() -> None:
    assert json_.loads(json([Invoice, Door])) == graph([Invoice, Door])
    assert json(Invoice).endswith("}\n")
