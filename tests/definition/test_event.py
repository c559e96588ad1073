"""An event: what may be asked for, from where, to where; and how a child refines it."""

import copy
from datetime import timedelta
from typing import Any

import pytest
from django import forms

from fsm_lifecycle import ANY, Branch, Event, Firing, State, guard, on_commit
from fsm_lifecycle.definition import Table
from tests.definition.declaring import table
from tests.testapp.models import Invoice, PaymentForm, has_client, has_positive_total

pytestmark = pytest.mark.pure

a = State("a", initial=True)
b = State("b")
c = State("c", terminal=True)


@guard("Only on Mondays.")
def on_mondays(record: Any) -> bool:
    return True


@guard("Not in the rain.", label="Dry weather")
def in_dry_weather(record: Any) -> bool:
    return True


def ring_the_bell(record: Any, firing: Firing) -> None:
    """Rings the bell. Everybody hears it."""


def open_the_door(record: Any, firing: Firing) -> None: ...


# --- declaring ----------------------------------------------------------------------------------------------


def test_it_learns_its_name_and_has_a_label_in_words() -> None:
    event = table(a=a, b=b, mark_overdue=Event(a, to=b)).events["mark_overdue"]
    assert (event.name, event.label, str(event)) == ("mark_overdue", "Mark overdue", "mark_overdue")


def test_a_label_that_is_given_stands() -> None:
    assert table(a=a, b=b, go=Event(a, to=b, label="Off we go")).events["go"].label == "Off we go"


def test_what_is_not_said_is_empty() -> None:
    event = Event(a, to=b)
    assert (event.guards, event.effects, event.stores, event.not_by) == ((), (), (), ())
    assert (event.arguments, event.after, event.at) == (None, None, None)
    assert not event.compensating
    assert not event.hidden
    assert event.description == ""


def test_it_needs_a_source() -> None:
    with pytest.raises(TypeError, match="needs at least one source state, or ANY"):
        Event(to=b)


@pytest.mark.parametrize("source", [None, 1, [a]])
def test_a_source_is_a_state(source: Any) -> None:
    with pytest.raises(TypeError, match="a source must be a State or ANY"):
        Event(source, to=b)


@pytest.mark.parametrize("target", [None, 1, [b], ANY])
def test_a_target_is_a_state_or_a_branch(target: Any) -> None:
    with pytest.raises(TypeError, match="must be a State or a Branch"):
        Event(a, to=target)


@pytest.mark.parametrize("option", ["guards", "effects", "stores", "not_by"])
def test_a_lone_value_where_a_list_belongs_is_refused_with_the_remedy(option: str) -> None:
    lone: dict[str, Any] = {option: "x"}
    with pytest.raises(TypeError, match=rf"{option}=\.\.\..* takes a list; got 'x'. Write {option}=\['x'\]"):
        Event(a, to=b, **lone)


def test_a_lone_guard_function_is_refused_with_the_remedy() -> None:
    with pytest.raises(TypeError, match=r"guards=\.\.\..* takes a list"):
        Event(a, to=b, guards=on_mondays)  # type: ignore[arg-type]


def test_a_number_of_seconds_is_no_time_to_fire_after() -> None:
    with pytest.raises(TypeError, match=r"after=.* must be a timedelta"):
        Event(a, to=b, after=60)  # type: ignore[arg-type]


def test_it_is_frozen() -> None:
    event = table(a=a, b=b, go=Event(a, to=b)).events["go"]
    with pytest.raises(AttributeError, match="Event 'go' is frozen: 'to' cannot be assigned"):
        event.to = a
    with pytest.raises(AttributeError, match="'guards' cannot be deleted"):
        del event.guards


def test_copies_are_the_event_itself() -> None:
    event = Event(a, to=b)
    assert copy.copy(event) is event
    assert copy.deepcopy([event])[0] is event


# --- ANY ----------------------------------------------------------------------------------------------------


def test_any_stands_for_every_state_that_is_not_terminal() -> None:
    event = table(a=a, b=b, c=c, go=Event(ANY, to=c)).events["go"]
    assert event.sources == (a, b)


def test_any_is_expanded_with_the_states_of_a_child_too() -> None:
    class Parent:
        a = a
        c = c
        stop = Event(ANY, to=c)

    class Child(Parent):
        b = b

    assert Table(Child).events["stop"].sources == (a, b)
    assert Table(Parent).events["stop"].sources == (a,)


def test_any_beside_a_terminal_state_takes_both() -> None:
    event = table(a=a, b=b, c=c, undo=Event(ANY, c, to=a, compensating=True)).events["undo"]
    assert event.sources == (a, b, c)


def test_there_is_one_any() -> None:
    assert copy.deepcopy(ANY) is copy.copy(ANY) is ANY
    assert repr(ANY) == "ANY"


# --- guards and effects ---------------------------------------------------------------------------------------


def test_a_guard_says_what_it_asks_and_why_it_denies() -> None:
    plain, labelled = Event(a, to=b, guards=[on_mondays, in_dry_weather]).guards
    assert (plain.name, plain.label, plain.reason) == ("on_mondays", "On mondays", "Only on Mondays.")
    assert (labelled.label, labelled.reason) == ("Dry weather", "Not in the rain.")


def test_a_guard_without_a_reason_gets_one() -> None:
    def has_paper(record: Any) -> bool:
        return True

    (declared,) = Event(a, to=b, guards=[has_paper]).guards
    assert declared.reason == "Not allowed now: “Has paper” does not hold."


@pytest.mark.parametrize(
    ("guards", "takes"),
    [([lambda record: True], False), ([lambda record, firing: True], True), ([lambda *both: True], True)],
)
def test_a_guard_takes_the_record_or_the_record_and_the_firing(guards: list[Any], takes: bool) -> None:
    guards[0].__name__ = "named"
    (declared,) = Event(a, to=b, guards=guards).guards
    assert (declared.takes_firing, declared.fault) == (takes, "")


def test_the_decorator_without_a_reason_is_refused_with_the_remedy() -> None:
    with pytest.raises(TypeError, match="@guard needs the reason people read"):
        guard(lambda record: True)  # type: ignore[arg-type]


def test_an_effect_is_described_by_its_docstring_or_its_name() -> None:
    first, second = Event(a, to=b, effects=[ring_the_bell, open_the_door]).effects
    assert first.label == "Rings the bell. Everybody hears it."
    assert second.label == "Open the door"


def test_on_commit_keeps_what_the_effect_says_of_itself() -> None:
    after = on_commit(ring_the_bell, outside=True)
    assert (after.name, after.after_commit, after.retry, after.outside) == (
        "ring_the_bell",
        True,
        False,
        True,
    )


# --- branches -------------------------------------------------------------------------------------------------


def test_a_branch_leads_to_each_of_its_states_once() -> None:
    branch = Branch((on_mondays, b), (in_dry_weather, c), otherwise=b)
    assert branch.targets == (b, c)
    assert Event(a, to=branch).targets == (b, c)


@pytest.mark.parametrize("case", [b, (b,), (on_mondays, b, c), (on_mondays, 1), [on_mondays, b]])
def test_a_branch_takes_pairs(case: Any) -> None:
    with pytest.raises(TypeError, match=r"Branch takes \(guard, state\) pairs"):
        Branch(case, otherwise=b)


def test_a_branch_needs_a_state_for_what_is_left() -> None:
    with pytest.raises(TypeError, match="must be a state"):
        Branch((on_mondays, b), otherwise=None)  # type: ignore[arg-type]


def test_a_branch_is_frozen() -> None:
    branch = Branch((on_mondays, b), otherwise=c)
    with pytest.raises(AttributeError, match="frozen"):
        branch.otherwise = a
    with pytest.raises(AttributeError):
        del branch.cases
    assert branch.targets == (b, c)


# --- refining -------------------------------------------------------------------------------------------------


def test_an_extended_event_adds_what_is_a_list() -> None:
    before = Event(a, to=b, guards=[on_mondays], effects=[ring_the_bell], stores=["x"])
    after = before.extend(b, guards=[in_dry_weather], effects=[open_the_door], stores=["x", "y"])
    assert after.sources == (a, b)
    assert [g.name for g in after.guards] == ["on_mondays", "in_dry_weather"]
    assert [e.name for e in after.effects] == ["ring_the_bell", "open_the_door"]
    assert after.stores == ("x", "y")


def test_an_extended_event_replaces_what_is_one_thing() -> None:
    class Other(forms.Form):
        pass

    before = Event(a, to=b, arguments=PaymentForm, label="Go", description="Goes.", hidden=True)
    kept, changed = before.extend(), before.extend(to=c, arguments=Other, label="Run", hidden=False)
    assert (kept.to, kept.arguments, kept.label, kept.hidden) == (b, PaymentForm, "Go", True)
    assert (changed.to, changed.arguments, changed.label, changed.hidden) == (c, Other, "Run", False)
    assert changed.description == "Goes."


def test_an_extended_event_keeps_what_cannot_be_refined() -> None:
    before = Event(c, to=a, compensating=True, after=timedelta(days=1), at="due")
    after = before.extend(b)
    assert (after.compensating, after.after, after.at) == (True, timedelta(days=1), "due")


def test_extending_changes_nothing_of_the_event_it_extends() -> None:
    Invoice.Lifecycle.send_invoice.extend(Invoice.Lifecycle.sent, guards=[on_mondays])
    assert [g.name for g in Invoice.Lifecycle.send_invoice.guards] == [
        has_positive_total.__name__,
        has_client.__name__,
    ]
    assert Invoice.Lifecycle.send_invoice.sources == (Invoice.Lifecycle.draft,)
