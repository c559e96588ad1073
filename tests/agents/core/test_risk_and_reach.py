"""Which events take a person by the table alone, and how far an agent gets at most."""

from __future__ import annotations

from typing import Any

import pytest

from fsm_lifecycle.agents import registry
from fsm_lifecycle.agents.reach import reach
from fsm_lifecycle.agents.risk import default_mode, risks, strictest
from sample_project.billing.models import Contract, Invoice
from tests.agents.core.desk import declared
from tests.sample.making import an_invoice
from tests.testapp.models import Door, Light, Order


def codes(model: Any, event: str) -> set[str]:
    table = model.lifecycle
    return {risk.code for risk in risks(table, table.events[event])}


@pytest.mark.pure
def test_what_makes_an_event_risky_is_read_off_the_table() -> None:
    assert codes(Invoice, "cancel") == {"terminal", "no_way_back"}
    assert codes(Invoice, "send_invoice") == {"no_way_back", "outside"}
    assert codes(Invoice, "pay") == {"terminal", "no_way_back", "fires"}
    assert codes(Invoice, "refund") == {"terminal", "no_way_back", "compensating"}
    assert codes(Contract, "suspend") == set()
    assert codes(Door, "open_up") == set()
    assert codes(Order, "finish") == {"terminal", "no_way_back", "fires"}
    for model, event in ((Invoice, "cancel"), (Light, "switch_on")):
        table = model.lifecycle
        found = table.events[event]
        assert default_mode(table, found) == ("always" if risks(table, found) else "never")


@pytest.mark.pure
def test_the_strictest_of_some_modes() -> None:
    assert strictest([]) == "never"
    assert strictest(["always", "never"]) == "always"
    assert strictest(["always", "four_eyes", "never"]) == "four_eyes"


@pytest.mark.pure
def test_an_agents_word_wins_over_the_risk() -> None:
    modes = {"cancel": "never", Invoice.Lifecycle.send_invoice: "four_eyes"}
    with declared(lifecycle=Invoice, approval=modes) as agent:
        found = registry.of(agent).scopes[0].approval
        marked = registry.of(agent).scopes[0].unguarded
    assert (found["cancel"], found["send_invoice"], found["pay"]) == ("never", "four_eyes", "always")
    assert {name: [risk.code for risk in why] for name, why in marked.items()} == {
        "cancel": ["terminal", "no_way_back"]
    }


@pytest.mark.pure
def test_a_mode_there_is_none_of_takes_a_person() -> None:
    with declared(lifecycle=Contract, approval={"suspend": "sometimes"}) as agent:
        assert registry.of(agent).scopes[0].approval["suspend"] == "always"


@pytest.mark.django_db
def test_an_agent_reaches_what_its_list_and_its_users_rights_allow(
    alice: Any, clerk: Any, approver: Any
) -> None:
    modes = {"send_invoice": "never", "mark_overdue": "never"}
    with declared(
        lifecycle=Invoice, approval=modes, events=["send_invoice", "mark_overdue", "cancel"]
    ) as agent:
        profile = registry.of(agent)
        (nothing,) = reach(profile, alice)
        an_invoice(alice)
        (hers,) = reach(profile, alice)
        (theirs,) = reach(profile, clerk)
        (no_one,) = reach(profile, approver)
    assert (nothing.alone, nothing.approved) == ((), ())
    assert (hers.alone, hers.approved) == (("sent",), ("cancelled",))
    assert (theirs.alone, theirs.approved) == (("sent", "overdue"), ("cancelled",))
    assert (theirs.events, theirs.with_approval) == (("send_invoice", "mark_overdue"), ("cancel",))
    assert (no_one.alone, no_one.approved) == ((), ())


@pytest.mark.django_db
def test_what_an_event_fires_on_another_record_is_within_reach(approver: Any) -> None:
    with declared(lifecycle=Invoice, events=["pay"]) as agent:
        mine, caused = reach(registry.of(agent), approver)
    assert (mine.alone, mine.approved) == ((), ("paid",))
    assert (caused.lifecycle, caused.approved, caused.caused) == ("billing.contract", ("active",), True)
