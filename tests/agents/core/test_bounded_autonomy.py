"""What an agent can do at all: for every sample lifecycle, every state, every event and every kind of user.

The table says which of these may be. Everything else is refused, changes nothing, and is on record.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone

from fsm_lifecycle import CRUD, adopting
from fsm_lifecycle.agents import registry
from sample_project.billing.models import Contract, ExpenseReport, Invoice
from sample_project.helpdesk.models import Ticket
from tests.agents.core.desk import call, declared, refusals, run_of, state_of
from tests.sample.making import somebody

pytestmark = [pytest.mark.once, pytest.mark.django_db]

MODELS = (Ticket, Contract, Invoice, ExpenseReport)

#: Arguments with which an event's form is content.
ARGUMENTS: dict[str, dict[str, Any]] = {
    "PaymentForm": {"paid_on": "2026-01-31"},
    "ReasonForm": {"reason": "It was agreed."},
    "SeriousnessForm": {"seriousness": 2},
    "WaitForm": {},
    "SolutionForm": {},
    "ReopenForm": {"reason": "It is not mended."},
}


def given(event: Any) -> dict[str, Any]:
    """Arguments with which an event's form is content."""
    return ARGUMENTS[event.arguments.__name__] if event.arguments else {}


def made(model: Any, state: str, number: int) -> Any:
    """A record in a state, made so that its guards have nothing against it."""
    day = timezone.localdate() - timedelta(days=5)
    fields: dict[Any, dict[str, Any]] = {
        Ticket: {
            "number": number,
            "opened_at": timezone.now(),
            "seriousness": 2,
            "service_level": 1,
            "service_type": 1,
            "responsible_section": 1,
            "support_section": 1,
            "has_anomaly": True,
        },
        Contract: {"client_name": "C"},
        Invoice: {
            "number": str(number),
            "amount": Decimal(10),
            "due_on": day,
            "client_email": "c@example.com",
        },
        ExpenseReport: {"purpose": "Travel", "amount": Decimal(10)},
    }
    with adopting("a test of agents"):
        return model.objects.create(state=state, **fields[model])


@dataclass(frozen=True)
class Asker:
    """One kind of user, and what the table allows it."""

    name: str
    user: Any
    events: frozenset[str]
    reads: bool
    active: bool = True


def askers(model: Any) -> Iterator[Asker]:
    """One user for each role on all records, one without any, a superuser, and one that is deactivated."""
    table = model.lifecycle
    every = frozenset(table.events)
    for role in table.roles.values():
        user = somebody(f"has-{role.value}", **{role.value: model})
        yield Asker(role.value, user, frozenset(map(str, role.may)), CRUD.READ in role.crud)
    yield Asker("nobody", somebody("nobody"), frozenset(), False)
    yield Asker("root", get_user_model().objects.create_superuser("root"), every, True)
    gone = get_user_model().objects.create_superuser("gone", is_active=False)
    yield Asker("gone", gone, frozenset(), False, active=False)


def expected(asker: Asker, model: Any, state: str, event: Any) -> str:
    """What the table says of an event, asked by somebody of a record in a state."""
    if not asker.active:
        return "access_denied"
    if not asker.reads:
        return "not_found"
    if event.name not in asker.events:
        return "access_denied"
    if state not in [str(source) for source in event.sources]:
        return "terminal_state" if model.lifecycle.states[state].terminal else "wrong_state"
    return ""


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_what_the_table_does_not_allow_is_refused_and_on_record(model: Any) -> None:
    """Guards and separation of duties may refuse more; nothing may be refused that the table has no word against."""
    table = model.lifecycle
    free = dict.fromkeys(table.events, "never")
    tried = allowed = 0
    with declared(lifecycle=model, approval=free) as agent:
        tools = registry.of(agent).names.events(0)
        for asker in askers(model):
            run = run_of(agent, asker.user)
            for state in table.states:
                record = made(model, state, tried + 1)
                on_record = 0
                for name, event in table.events.items():
                    wrong = expected(asker, model, state, event)
                    if not wrong:
                        continue
                    tried += 1
                    answer = call(run, tools[name], id=str(record.pk), expected_state=state, **given(event))
                    assert (answer["success"], answer["code"]) == (False, wrong), (asker.name, state, name)
                    assert answer["reasons"]
                    on_record += 1
                assert state_of(record) == state
                assert record.log.count() == 1
                kept = refusals(record)
                assert len(kept) == on_record, (asker.name, state)
                for name, event in table.events.items():
                    if expected(asker, model, state, event):
                        continue
                    allowed += 1
                    fresh = made(model, state, 10_000 + allowed)
                    answer = call(run, tools[name], id=str(fresh.pk), expected_state=state, **given(event))
                    assert answer["success"], (asker.name, state, name, answer)
                    assert state_of(fresh) in map(str, event.targets)
                    entry = fresh.log.last()
                    assert (entry.event, entry.actor_kind) == (name, "agent")
                    assert entry.actor_id == str(asker.user.pk)
    assert tried > 100
    assert allowed > 10


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_what_an_agent_does_not_name_it_may_not_even_for_a_superuser(model: Any) -> None:
    root = get_user_model().objects.create_superuser("root")
    with declared(lifecycle=model, events=[]) as agent:
        run = run_of(agent, root)
        tools = registry.of(agent).names.events(0)
        for number, (name, event) in enumerate(model.lifecycle.events.items()):
            state = str(event.sources[0])
            record = made(model, state, number + 1)
            answer = call(run, tools[name], id=str(record.pk), expected_state=state, **given(event))
            assert answer["code"] == "access_denied"
            assert refusals(record) == [(name, "access_denied")]
            assert state_of(record) == state


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_what_takes_a_person_changes_nothing_by_itself(model: Any) -> None:
    root = get_user_model().objects.create_superuser("root")
    with declared(lifecycle=model, approval=dict.fromkeys(model.lifecycle.events, "always")) as agent:
        run = run_of(agent, root)
        tools = registry.of(agent).names.events(0)
        for number, (name, event) in enumerate(model.lifecycle.events.items()):
            state = str(event.sources[0])
            record = made(model, state, number + 1)
            answer = call(run, tools[name], id=str(record.pk), expected_state=state, **given(event))
            assert (answer["code"], answer["current_state"]) == ("approval_required", state)
            assert run.proposals.get(pk=answer["proposal"]).event == name
            assert state_of(record) == state
            assert record.log.count() == 1
