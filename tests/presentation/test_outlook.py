"""What is said before an event is fired is what the table holds, no more and no less."""

from __future__ import annotations

from typing import Any

import pytest

from fsm_lifecycle import Branch, Event, Snapshot, State, effect, fires, guard, on_commit
from fsm_lifecycle.definition.table import Table
from fsm_lifecycle.presentation.outlook import Outlook, outlook

pytestmark = pytest.mark.pure


@guard("Too large.")
def is_large(record: Any) -> bool:
    return True


@effect("rings the bell", describe=lambda record: f"rings the bell of {record.pk}", outside=True)
def ring(record: Any, firing: Any) -> None: ...


@effect("writes it down", describe=lambda record: record.nothing_of_this_name)
def note(record: Any, firing: Any) -> None: ...


class Lifecycle:
    new = State("new", initial=True)
    open = State("open")
    waiting = State("waiting")
    done = State("done", terminal=True)
    lost = State("lost", terminal=True)

    start = Event(new, to=open)
    wait = Event(open, to=waiting)
    resume = Event(waiting, to=open)
    again = Event(open, to=open)
    finish = Event(open, waiting, to=done, effects=[note, on_commit(ring)])
    lose = Event(open, to=lost)
    reopen = Event(done, to=open, compensating=True)
    sort = Event(new, to=Branch((is_large, waiting), otherwise=open))
    call = Event(
        open,
        to=open,
        effects=[
            fires(lambda record: record, "quote", model="billing.Contract"),
            fires(lambda record: record, "quote", on_failure="log"),
        ],
    )

    snapshot = Snapshot.terminal()


class Binding:
    """As much of a model's binding as the outlook reads."""

    state_name = "state"

    class model:
        class _meta:
            verbose_name = "case"
            concrete_fields = ()

    table = Table(Lifecycle)


class Record:
    pk = 7
    lifecycle_sequence = 4

    def __init__(self, state: str) -> None:
        self.state = state


def of(event: str, state: str | None = None) -> Outlook:
    binding: Any = Binding
    return outlook(binding, Binding.table.events[event], Record(state) if state else None)


def texts(lines: Any) -> list[str]:
    return [line.text for line in lines]


def test_it_names_the_state_and_the_entry() -> None:
    assert texts(of("start", "new").at_once) == ["The case becomes Open.", "Entry 5 is written to the log."]
    assert texts(of("start").at_once)[1] == "One entry for each is written to the log."


def test_a_final_state_keeps_a_snapshot() -> None:
    assert texts(of("finish", "open").at_once)[1] == "Entry 5 is written to the log, with a snapshot."


def test_effects_stand_where_they_run_and_one_whose_words_fail_keeps_its_label(
    caplog: pytest.LogCaptureFixture,
) -> None:
    found = of("finish", "open")
    assert texts(found.at_once)[2:] == ["Writes it down."]
    assert texts(found.afterwards) == ["Rings the bell of 7. It cannot be called back."]
    assert found.irrevocable == ("Rings the bell of 7. It cannot be called back.",)
    assert "note" in caplog.text
    assert texts(of("finish").afterwards) == ["Rings the bell. It cannot be called back."]


def test_what_it_fires_elsewhere_says_what_a_refusal_there_means() -> None:
    assert texts(of("call", "open").at_once)[2:] == [
        "Fires Quote on Contract. If that is refused, nothing is done here either.",
        "Fires Quote on the connected record as well, if that is allowed. If not, the rest is done without it.",
    ]


def test_for_many_only_their_own_states_count() -> None:
    binding: Any = Binding
    finish = Binding.table.events["finish"]
    assert outlook(binding, finish, states={"open"}).undo.startswith("Yes. Reopen leads back to Open.")
    assert outlook(binding, finish, states={"waiting"}).undo.startswith("Not by one event")
    assert outlook(binding, finish).undo.startswith("Not by one event")


def test_a_branch_names_every_state_it_may_lead_to() -> None:
    assert texts(of("sort", "new").at_once)[0] == "The case becomes Waiting or Open, as the rules decide."


@pytest.mark.parametrize(
    ("event", "state", "words"),
    [
        ("wait", "open", "Yes. Resume leads back to Open. The log keeps both."),
        ("again", "open", "The state stays as it is, so there is nothing to undo. The log keeps the entry."),
        ("finish", "open", "Yes. Reopen leads back to Open. The log keeps both."),
        (
            "finish",
            "waiting",
            "Not by one event, but other events lead back step by step. The log keeps them all.",
        ),
        ("lose", "open", "No. Lost is final."),
        ("start", "new", "No. No event leads back."),
    ],
)
def test_whether_it_can_be_undone(event: str, state: str, words: str) -> None:
    assert of(event, state).undo == words
