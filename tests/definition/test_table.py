"""The compiled table: what can be asked of `Model.lifecycle`."""

import copy
from datetime import timedelta
from typing import Any

import pytest
from django.db import models

from fsm_lifecycle import ANY, CRUD, Branch, Event, Retention, Role, Snapshot, State, guard
from fsm_lifecycle.definition import Table
from fsm_lifecycle.exceptions import InvalidDefinition, UnknownEvent
from tests.definition.declaring import declare, lifecycle, table
from tests.testapp.models import Door, Expense, Invoice, Light

pytestmark = pytest.mark.pure

a = State("a", initial=True)
b = State("b")
c = State("c", terminal=True)


def names(found: Any) -> list[str]:
    return [str(one) for one in found]


# --- mappings -------------------------------------------------------------------------------------------------


def test_states_are_known_by_value_in_declared_order() -> None:
    assert list(Invoice.lifecycle.states) == ["draft", "sent", "overdue", "paid", "cancelled"]
    assert Invoice.lifecycle.states["paid"] is Invoice.Lifecycle.paid


def test_a_state_is_known_by_value_even_where_its_attribute_has_another_name() -> None:
    found = table(not_sent=State("draft", initial=True)).states
    assert list(found) == ["draft"]
    assert found["draft"].name == "not_sent"


def test_events_and_roles_are_known_by_name() -> None:
    found = table(a=a, b=b, go=Event(a, to=b), boss=Role("manager", crud=CRUD.ALL))
    assert list(found.events) == ["go"]
    assert list(found.roles) == ["manager"]


def test_the_mappings_cannot_be_changed() -> None:
    for mapping in (Invoice.lifecycle.states, Invoice.lifecycle.events, Invoice.lifecycle.roles):
        with pytest.raises(TypeError):
            mapping["x"] = None  # type: ignore[index]


def test_the_initial_state_and_the_final_ones() -> None:
    assert Invoice.lifecycle.initial is Invoice.Lifecycle.draft
    assert names(Invoice.lifecycle.terminal) == ["paid", "cancelled"]
    assert Door.lifecycle.terminal == ()


def test_an_event_of_the_table_speaks_of_the_tables_own_states() -> None:
    found = table(a=a, b=b, go=Event("a", to="b")).events["go"]  # written as plain values
    assert found.sources[0] is a
    assert found.to is b


def test_every_row_is_a_transition() -> None:
    rows = [(row.event.name, str(row.source), str(row.target)) for row in Expense.lifecycle.transitions]
    assert rows == [
        ("submit", "draft", "director_review"),
        ("submit", "draft", "manager_review"),
        ("submit", "draft", "approved"),
        ("approve", "director_review", "approved"),
        ("approve", "manager_review", "approved"),
    ]


# --- the graph ------------------------------------------------------------------------------------------------


def test_events_from_a_state_come_in_declared_order() -> None:
    assert names(Invoice.lifecycle.events_from("sent")) == ["pay", "mark_overdue", "cancel"]
    assert names(Invoice.lifecycle.events_from(Invoice.Lifecycle.paid)) == ["refund"]
    assert Invoice.lifecycle.events_from("cancelled") == ()
    assert Invoice.lifecycle.events_from("nowhere") == ()


def test_what_can_be_reached_however_many_events_it_takes() -> None:
    reached = Invoice.lifecycle.reachable_from("draft")
    assert reached == {"sent", "overdue", "paid", "cancelled"}
    assert all(isinstance(state, State) for state in reached)
    assert Invoice.lifecycle.reachable_from("cancelled") == frozenset()


def test_a_state_reaches_itself_where_a_way_leads_back() -> None:
    assert "on" in Light.lifecycle.reachable_from("on")
    assert "off" in Light.lifecycle.reachable_from("off")
    assert "draft" not in Invoice.lifecycle.reachable_from("draft")


def test_every_target_of_a_branch_is_reached() -> None:
    assert Expense.lifecycle.reachable_from("draft") == {"director_review", "manager_review", "approved"}


@pytest.mark.parametrize(
    ("model", "event", "reversible"),
    [
        (Light, "switch_on", True),
        (Light, "switch_off", True),
        (Light, "blink", True),
        (Light, "smash", False),
        (Invoice, "mark_overdue", False),
        (Invoice, "remind", True),
        (Expense, "submit", False),
    ],
)
def test_an_event_is_reversible_when_a_way_leads_back(model: Any, event: str, reversible: bool) -> None:
    assert model.lifecycle.reversible(event) is reversible
    assert model.lifecycle.reversible(getattr(model.Lifecycle, event)) is reversible


def test_an_event_from_two_states_is_reversible_when_both_can_be_reached_again() -> None:
    half = table(a=a, b=b, d=State("d"), go=Event(a, b, to="d"), back=Event("d", to=b))
    assert not half.reversible("go")
    whole = table(a=a, b=b, d=State("d"), go=Event(a, b, to="d"), back=Event("d", to=b), home=Event(b, to=a))
    assert whole.reversible("go")


@pytest.mark.parametrize("event", ["nonsense", Light.Lifecycle.smash])
def test_an_event_the_table_does_not_have_is_not_called_reversible(event: Any) -> None:
    with pytest.raises(UnknownEvent):
        Invoice.lifecycle.reversible(event)


# --- options --------------------------------------------------------------------------------------------------


def test_a_snapshot_policy_and_a_retention_are_kept() -> None:
    found = table(a=a, snapshot=Snapshot.every(), retention=Retention(after=timedelta(days=1), states=[c]))
    assert found.snapshot == Snapshot.every()
    assert found.retention == Retention(after=timedelta(days=1), states=["c"])
    assert table(a=a).snapshot is None
    assert table(a=a).retention is None


def test_what_begins_with_an_underscore_is_nobodys_business() -> None:
    assert table(a=a, _secret=1).unknown_members == ()


def test_functions_in_the_nested_class_are_left_alone() -> None:
    class Lifecycle:
        a = a

        @staticmethod
        def helps(record: Any) -> bool:
            return True

    assert Table(Lifecycle).unknown_members == ()


# --- what cannot be built raises at once ------------------------------------------------------------------------


def test_a_lifecycle_that_is_no_class_raises_when_the_model_is_made() -> None:
    with pytest.raises(InvalidDefinition, match=r"Thing\.Lifecycle must be a class"):
        declare(None, Lifecycle=5)


def test_a_field_of_the_hosts_own_where_the_state_goes_raises_with_both_remedies() -> None:
    with pytest.raises(InvalidDefinition, match=r"field “state”.*Remove the field.*set lifecycle_field"):
        declare(lifecycle(a=a), state=models.CharField(max_length=10))


@pytest.mark.parametrize("column", ["state_since", "lifecycle_sequence", "lifecycle_head"])
def test_a_field_of_the_hosts_own_where_the_package_writes_raises(column: str) -> None:
    own: dict[str, Any] = {column: models.CharField(max_length=10)}
    with pytest.raises(InvalidDefinition, match=f"declares {column}, which the package adds itself"):
        declare(lifecycle(a=a), **own)


@pytest.mark.parametrize("name", ["state_since", "lifecycle_head", "save", "", 5, "not a name"])
def test_a_state_column_that_cannot_have_its_name_raises(name: Any) -> None:
    with pytest.raises(InvalidDefinition, match="lifecycle_field"):
        declare(lifecycle(a=a), lifecycle_field=name)


@guard("No.")
def never(record: Any) -> bool:
    return False


DEFECTIVE = {
    "no states": lifecycle(),
    "no initial state": lifecycle(b=b),
    "two initial states": lifecycle(a=a, d=State("d", initial=True)),
    "one value twice": lifecycle(a=a, b=State("a")),
    "an empty value": lifecycle(a=State("", initial=True)),
    "a value that no database takes": lifecycle(a=State("\ud800", initial=True)),
    "an unknown source": lifecycle(a=a, go=Event("nowhere", to=a)),
    "an unknown target": lifecycle(a=a, go=Event(a, to="nowhere")),
    "an unknown branch": lifecycle(a=a, go=Event(a, to=Branch((never, "nowhere"), otherwise="nowhere"))),
    "a guard that is none": lifecycle(a=a, go=Event(a, to=a, guards=[5, "x", None])),
    "an effect that is none": lifecycle(a=a, go=Event(a, to=a, effects=[5, "x", None])),
    "a form that is none": lifecycle(a=a, go=Event(a, to=a, arguments=5)),  # type: ignore[arg-type]
    "no state left by ANY": lifecycle(c=State("c", initial=True, terminal=True), go=Event(ANY, to="c")),
    "something unknown": lifecycle(a=a, colour="red"),
}


@pytest.mark.parametrize("declaration", DEFECTIVE.values(), ids=DEFECTIVE)
def test_a_defect_that_a_check_can_name_does_not_stop_the_class(declaration: type) -> None:
    assert declare(declaration).lifecycle.declaration is declaration


# --- frozen ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["initial", "states", "options", "transitions", "fingerprint", "anything"])
def test_nothing_can_be_assigned(name: str) -> None:
    made = table(a=State("a", initial=True, terminal=True))
    before = made.fingerprint
    with pytest.raises(AttributeError, match=f"The table is frozen: '{name}' cannot be assigned"):
        setattr(made, name, "x")
    assert made.fingerprint == before


def test_nothing_can_be_deleted() -> None:
    made = table(a=State("a", initial=True, terminal=True))
    with pytest.raises(AttributeError, match="'initial' cannot be deleted"):
        del made.initial
    assert made.initial == "a"


def test_copies_are_the_table_itself() -> None:
    assert copy.copy(Invoice.lifecycle) is Invoice.lifecycle
    assert copy.deepcopy([Invoice.lifecycle])[0] is Invoice.lifecycle
