"""Owns ``plan_…``: a list of events, tried on the table first, then proposed as one or carried out all or none.

Must not know how a call is recorded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import router

from fsm_lifecycle.agents.answers import Answer, Refused, denied, of_error, refusal, said, success
from fsm_lifecycle.agents.call import Call, wrong
from fsm_lifecycle.agents.firing import done, put_down, refused, target, would
from fsm_lifecycle.agents.profile import Scope
from fsm_lifecycle.agents.proposing import Waits, propose_plan
from fsm_lifecycle.agents.risk import NEVER, strictest
from fsm_lifecycle.agents.schemas import step_schema, steps_schema
from fsm_lifecycle.append_only import key_text
from fsm_lifecycle.definition import Event
from fsm_lifecycle.engine.argument_schema import schema_of
from fsm_lifecycle.engine.arguments import clean
from fsm_lifecycle.engine.asking import asked
from fsm_lifecycle.engine.binding import SEQUENCE
from fsm_lifecycle.engine.decision import Denial
from fsm_lifecycle.exceptions import LifecycleError
from fsm_lifecycle.transactions import writing


@dataclass
class _Simulated:
    """A record as it would be after the steps so far."""

    record: Any
    states: frozenset[str]
    moves: int = 0


def plan_events(call: Call, scope: Scope) -> Answer:
    """Try a list of events on the table; carry it out, or raise ``Waits`` where a person has to approve."""
    call.check(steps_schema())
    asked_for = call.arguments["steps"]
    for place, step in enumerate(asked_for):
        _check(call, scope, place, step)
    steps: list[dict[str, Any]] = []
    modes: list[str] = []
    there: dict[str, _Simulated] = {}
    for place, step in enumerate(asked_for):
        try:
            steps.append(_tried(call, scope, step, there))
        except Refused as refused_:
            raise Refused({**refused_.answer, "step": place + 1}) from None
        modes.append(scope.approval[step["event"]])
    mode = strictest(modes)
    if mode != NEVER:
        raise Waits(propose_plan(call, scope, steps, mode))
    return carry_out(call, scope, steps)


def carry_out(call: Call, scope: Scope, steps: list[dict[str, Any]]) -> Answer:
    """Fire every step in one transaction, where the records are, which the first refusal leaves."""
    with writing(router.db_for_write(scope.model), savepoint=True):
        return success(steps=[_fired(call, scope, place, step) for place, step in enumerate(steps)])


def _fired(call: Call, scope: Scope, place: int, step: Mapping[str, Any]) -> dict[str, Any]:
    record = target(call, scope, scope.table.events[step["event"]], step["object_pk"])
    try:
        entry = record.fire(
            step["event"],
            actor=call.actor,
            arguments=step["arguments"],
            expected_state=step["expected_state"],
            expected_sequence=step["sequence"],
            idempotency_key=call.key(place),
        )
    except LifecycleError as error:
        raise Refused({**of_error(error), "step": place + 1}) from error
    return {"id": step["object_pk"], **done(entry)}


def _check(call: Call, scope: Scope, place: int, step: Any) -> None:
    """Raise ``Refused`` where a step is none; on record where the event and the record that are meant are known."""
    # Whatever events the user is offered: the engine says no to the others, one by one.
    denials = wrong(step_schema(scope), step, f"steps[{place}]")
    if not denials:
        return
    answer = refusal(denials[0].code, map(said, denials))
    given = step if isinstance(step, dict) else {}
    event, id_ = scope.table.events.get(str(given.get("event"))), given.get("id")
    record = call.find(scope, id_) if event is not None and isinstance(id_, str) else None
    if event is not None and record is not None:
        call.see(scope, [record])
        answer = put_down(call, scope, record, event, denials)
    raise Refused({**answer, "step": place + 1})


def _tried(call: Call, scope: Scope, step: Mapping[str, Any], there: dict[str, _Simulated]) -> dict[str, Any]:
    """One step on the table: as it is to be stored. Raises ``Refused``."""
    name, given, expected = step["event"], dict(step.get("arguments") or {}), step["expected_state"]
    event = scope.table.events.get(name)
    if event is None:
        decision = _unknown(call, scope, step)
        raise Refused(denied(decision))
    record = target(call, scope, event, step["id"])
    problems = wrong(schema_of(event.arguments), given)
    if problems:
        raise Refused(put_down(call, scope, record, event, problems))
    key = key_text(scope.binding.key_of(record))
    before = there.get(key)
    if before is None:
        state = getattr(record, scope.binding.state_name)
        before = there[key] = _Simulated(record, frozenset([state]))
        decision = would(call, record, event, given, expected)
        if not decision.allowed:
            call.put_on_record(scope, record, decision)
            raise Refused(denied(decision, state))
        targets = frozenset([str(decision.target)]) if decision.target else frozenset(map(str, event.targets))
    else:
        targets = _after(call, scope, event, before, given, expected)
    stored = {
        "object_pk": key,
        "event": name,
        "arguments": given,
        "expected_state": expected,
        "sequence": getattr(before.record, SEQUENCE) + before.moves,
    }
    before.states, before.moves = targets, before.moves + 1
    return stored


def _after(
    call: Call, scope: Scope, event: Event, before: _Simulated, given: Mapping[str, Any], expected: str
) -> frozenset[str]:
    """A later step on a record: by right, state and arguments. Guards are asked when it is carried out."""
    binding = scope.binding
    plan = binding.plans[event.name]
    denials: list[Denial] = []
    denial, _ = asked(binding, before.record, call.as_if, event).answer(plan)
    if denial is not None:
        denials.append(denial)
    elif expected not in before.states:
        states = " or ".join(sorted(before.states))
        denials.append(Denial("stale_state", f"At this step it is {states}, not {expected}.", event.name))
    elif expected not in plan.sources:
        sources = ", ".join(sorted(plan.sources))
        denials.append(Denial("wrong_state", f"“{event.label}” starts from {sources}.", event.name))
    else:
        _, errors = clean(plan, given)
        denials += [
            Denial("invalid_arguments", text, name) for name, texts in errors.items() for text in texts
        ]
    if denials:
        decision = refused(before.record, event, denials)
        call.put_on_record(scope, before.record, decision)
        raise Refused(denied(decision, getattr(before.record, binding.state_name)))
    return frozenset(map(str, event.targets))


def _unknown(call: Call, scope: Scope, step: Mapping[str, Any]) -> Any:
    """The decision about an event that is not in the table; on record where there is such a record."""
    from fsm_lifecycle.engine.decide import unknown_event

    record = call.find(scope, step["id"])
    decision = unknown_event(scope.binding, step["event"])
    if record is not None:
        decision = record.decide(step["event"], call.as_if)
        call.put_on_record(scope, record, decision)
    return decision
