"""Declarations and decisions in pickles: fragment caches, sessions, arguments of tasks."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from fsm_lifecycle import ANY, Event, State, System
from fsm_lifecycle.exceptions import InvalidTransition
from tests.definition.declaring import table
from tests.testapp.models import Contract, DisputedInvoice, Expense, Invoice, Report, Treaty
from tests.testapp.offices import Claim, OfficeLifecycle

a = State("a", initial=True)
b = State("b")

EACH_PROTOCOL = pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))


@EACH_PROTOCOL
@pytest.mark.parametrize("model", [Invoice, DisputedInvoice, Report, Treaty, Claim, Expense])
def test_an_event_comes_back_as_itself(model: Any, protocol: int) -> None:
    for event in model.lifecycle.events.values():
        assert pickle.loads(pickle.dumps(event, protocol)) is event


@EACH_PROTOCOL
@pytest.mark.parametrize(
    "declared",
    [Invoice.Lifecycle.pay, OfficeLifecycle.approve, next(iter(Claim.lifecycle.roles.values())), ANY],
)
def test_a_declaration_comes_back_as_itself(declared: Any, protocol: int) -> None:
    assert pickle.loads(pickle.dumps(declared, protocol)) is declared


def test_a_table_comes_back_as_itself() -> None:
    for model in (Invoice, DisputedInvoice, Report):
        assert pickle.loads(pickle.dumps(model.lifecycle)) is model.lifecycle


def test_a_branch_comes_back_with_its_cases() -> None:
    (branch,) = [e.to for e in Expense.lifecycle.events.values() if not isinstance(e.to, str)]
    thawed = pickle.loads(pickle.dumps(branch))
    assert (thawed.cases, thawed.otherwise) == (branch.cases, branch.otherwise)
    assert copy.copy(branch) is branch
    assert copy.deepcopy([branch])[0] is branch


def test_an_event_that_is_gone_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    frozen = pickle.dumps(Invoice.lifecycle.events["pay"])
    fewer = {name: event for name, event in Invoice.lifecycle.events.items() if name != "pay"}
    monkeypatch.setitem(vars(Invoice.lifecycle), "events", fewer)
    with pytest.raises(pickle.UnpicklingError, match="“pay”, which is none of send_invoice, "):
        pickle.loads(frozen)


def test_a_declaration_that_is_gone_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    frozen = pickle.dumps(Invoice.Lifecycle.pay)
    monkeypatch.delattr(Invoice.Lifecycle, "pay")
    with pytest.raises(pickle.UnpicklingError, match=r"“pay” of Invoice\.Lifecycle, which declares nothing"):
        pickle.loads(frozen)


@pytest.mark.parametrize(
    "homeless",
    [
        Event(a, to=b),
        table(a=a, b=b, go=Event(a, to=b)).events["go"],
        table(a=a, b=b),
    ],
    ids=["an event in no class", "an event of a table without a model", "a table without a model"],
)
def test_what_no_pickle_can_name_says_so(homeless: Any) -> None:
    with pytest.raises(pickle.PicklingError, match="so a pickle cannot name it"):
        pickle.dumps(homeless)


# --- decisions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("clone", [lambda it: pickle.loads(pickle.dumps(it)), copy.deepcopy, copy.copy])
@pytest.mark.parametrize("event", ["send_invoice", "pay", "nothing"])
def test_a_decision_comes_back_as_it_was(clone: Any, event: str) -> None:
    decision = Invoice(client_name="Ada", amount=1).decide(event)
    twin = clone(decision)
    assert twin == decision
    assert twin.event is decision.event
    assert bool(twin) is bool(decision)


def test_the_states_of_a_decision_have_their_labels_again() -> None:
    decision = Invoice().decide("pay")
    twin = pickle.loads(pickle.dumps(decision))
    states = Invoice.lifecycle.states
    assert twin.source is states["draft"]
    assert twin.target is states["paid"]
    assert [state.label for state in twin.valid_sources] == ["Sent", "Overdue"]


@pytest.mark.django_db
def test_a_refusal_crosses_to_another_process_with_its_decision() -> None:
    contract = Contract.objects.create()
    contract.fire("activate", actor=System("tests"))
    with pytest.raises(InvalidTransition) as caught:
        contract.fire("activate", actor=System("tests"))
    twin = pickle.loads(pickle.dumps(caught.value))
    assert (str(twin), twin.code, twin.decision) == (
        str(caught.value),
        caught.value.code,
        caught.value.decision,
    )
