"""Owns the tools that fire: one event on one record, or its proposal where a person has to approve.

Repeats no check: the engine decides. Must not know how a call is recorded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from django.db import connections

from fsm_lifecycle.agents.answers import NOT_FOUND, Answer, Refused, denied, of_error, refusal, success
from fsm_lifecycle.agents.call import Call, wrong
from fsm_lifecycle.agents.profile import Scope
from fsm_lifecycle.agents.proposing import Waits, propose
from fsm_lifecycle.agents.risk import NEVER
from fsm_lifecycle.agents.schemas import firing_schema
from fsm_lifecycle.definition import Event
from fsm_lifecycle.engine.decision import Decision, Denial
from fsm_lifecycle.engine.families import foreign_child
from fsm_lifecycle.exceptions import LifecycleError
from fsm_lifecycle.models import TransitionLog

#: The arguments of every event's tool that are not the event's own.
OURS = ("id", "expected_state")


def fire_event(call: Call, scope: Scope, name: str) -> Answer:
    """Fire one event. Raises ``Waits`` where a person has to approve, and ``Refused``."""
    event = scope.table.events[name]
    record = target(call, scope, event, call.arguments.get("id"))
    state = getattr(record, scope.binding.state_name)
    problems = wrong(firing_schema(scope, event), dict(call.arguments))
    if problems:
        raise Refused(put_down(call, scope, record, event, problems))
    given = {key: value for key, value in call.arguments.items() if key not in OURS}
    expected = call.arguments["expected_state"]
    if name in scope.events and scope.approval[name] != NEVER:
        decision = would(call, record, event, given, expected)
        if not decision.allowed:
            call.put_on_record(scope, record, decision)
            raise Refused(denied(decision, state))
        raise Waits(propose(call, scope, record, event, given), state)
    try:
        entry = record.fire(
            event, actor=call.actor, arguments=given, expected_state=expected, idempotency_key=call.key()
        )
    except LifecycleError as error:
        raise Refused(of_error(error, call.state_of(scope, record))) from error
    return done(entry)


def would(call: Call, record: Any, event: Event, given: Mapping[str, Any], expected: str) -> Decision:
    """What the engine would say if a person approved, as far as it can be known before."""
    if reason := foreign_child(record._lifecycle, connections[record._state.db], record.pk):
        return refused(record, event, [Denial("wrong_state", reason, event.name)])
    found: Decision = record.decide(event, call.as_if, given, expected_state=expected)
    return found


def done(entry: TransitionLog) -> Answer:
    """What is said of a firing that succeeded."""
    return success(
        event=entry.event,
        current_state=entry.to_state,
        entry=entry.entry_hash,
        **{"from": entry.from_state, "to": entry.to_state, "sequence": entry.sequence},
    )


def target(call: Call, scope: Scope, event: Event, id_: Any) -> Any:
    """The record that is meant. What is there but not to be seen is refused like what is not, and put on record."""
    if isinstance(id_, bool) or not isinstance(id_, str | int):
        raise Refused(refusal("invalid_arguments", ["id: Give the id of a record, as a text."]))
    record = call.find(scope, id_)
    if record is not None:
        call.see(scope, [record])
        return record
    hidden = call.hidden(scope, id_)
    if hidden is not None:
        call.see(scope, [hidden])  # not shown, but what is said of it belongs to it
        decision = hidden.decide(event, call.actor)
        if (decision.denials[:1] and decision.denials[0].code != "access_denied") or decision.allowed:
            decision = refused(
                hidden, event, [Denial("access_denied", "The user may not see it.", event.name)]
            )
        call.put_on_record(scope, hidden, decision)
    raise Refused(refusal("not_found", [NOT_FOUND]))


def put_down(call: Call, scope: Scope, record: Any, event: Event, denials: list[Denial]) -> Answer:
    """Keep a refusal of the arguments, and answer it. Who may not fire the event is told that instead."""
    decision = record.decide(event, call.as_if)
    if decision.denials and decision.denials[0].code in ("access_denied", "four_eyes"):
        answer = decision
    else:
        answer = refused(record, event, denials)
    call.put_on_record(scope, record, answer)
    return denied(answer, getattr(record, scope.binding.state_name))


def refused(record: Any, event: Event | None, denials: list[Denial]) -> Decision:
    """A decision with denials of our own."""
    binding = type(record)._lifecycle
    state = getattr(record, binding.state_name)
    return Decision(
        allowed=False,
        event=event,
        source=binding.table.states.get(state, state),
        target=None,
        denials=tuple(replace(denial) for denial in denials),
    )
