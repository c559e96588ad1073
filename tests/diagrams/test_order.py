"""The order of states along the flow, and the spine."""

import pytest

from fsm_lifecycle.definition import Table
from fsm_lifecycle.diagrams.machine import extract
from fsm_lifecycle.diagrams.order import Order

from .cases import drawn
from .lifecycles import TABLES

pytestmark = pytest.mark.pure


def in_order(table: Table) -> list[str]:
    machine = extract(table)
    position = Order(machine).position
    return [machine.places[i].label for i in sorted(position, key=lambda i: position[i])]


def spine(table: Table) -> list[str]:
    machine = extract(table)
    onward = dict(Order(machine).spine)
    first = next(iter(set(onward) - set(onward.values())))
    found = [first]
    while found[-1] in onward:
        found.append(onward[found[-1]])
    return [machine.places[i].label for i in found]


def test_the_initial_state_comes_first_however_late_it_is_declared() -> None:
    rows = [("Draft", "send", "Sent"), ("Sent", "pay", "Paid"), ("Sent", "edit", "Draft")]
    assert in_order(drawn(["Paid", "Sent", "Draft"], rows, initial=(2,))) == ["Draft", "Sent", "Paid"]


def test_a_ring_is_opened_at_the_initial_state() -> None:
    rows = [("A", "x", "B"), ("B", "y", "C"), ("C", "z", "A")]
    assert in_order(drawn(list("CAB"), rows, initial=(1,))) == ["A", "B", "C"]


def test_what_was_started_stays_at_the_top() -> None:
    """Where as few rows as possible point back, KYC's “started” comes last."""
    assert in_order(TABLES["KYC"])[0] == "Started"


def test_the_spine_is_the_longest_way_to_a_final_state() -> None:
    assert spine(TABLES["hiring"]) == [
        "Applied",
        "Screening",
        "Phone interview",
        "Onsite interview",
        "Offer",
        "Accepted",
        "Hired",
    ]


def test_the_spine_passes_by_what_waits_or_alerts() -> None:
    rows = [
        ("New", "take", "Open"),
        ("Open", "ask", "Waiting"),
        ("Waiting", "solve", "Done"),
        ("Open", "solve", "Done"),
    ]
    names = ["New", "Open", "Waiting", "Done"]
    assert spine(drawn(names, rows, final=(3,))) == names
    assert spine(drawn(names, rows, final=(3,), waiting=(2,))) == ["New", "Open", "Done"]


def test_there_is_no_spine_without_rows() -> None:
    assert Order(extract(drawn(["A", "B"], []))).spine == frozenset()
