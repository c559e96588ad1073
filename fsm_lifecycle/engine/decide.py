"""``judge()``: the only place where rules are evaluated.

It answers for the record it is handed, reads nothing from the database itself, and changes nothing. Must not
know whether its answer is shown or acted upon.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from django.db import DatabaseError
from django.utils.functional import Promise
from django.utils.translation import get_language

from fsm_lifecycle.access.rights import Delegator
from fsm_lifecycle.definition import Branch, Event, Guard, State
from fsm_lifecycle.definition.defect import nearest
from fsm_lifecycle.definition.guards import refuse_awaitable
from fsm_lifecycle.engine.arguments import clean
from fsm_lifecycle.engine.asking import Access, asked
from fsm_lifecycle.engine.binding import SEQUENCE, Binding, Plan
from fsm_lifecycle.engine.decision import Decision, Denial
from fsm_lifecycle.engine.firing import Firing
from fsm_lifecycle.transactions import is_busy

logger = logging.getLogger("fsm_lifecycle")

_PENDING: Final = Denial("pending", "")


def decide(
    record: Any,
    event: Event | str,
    actor: Any = None,
    arguments: Mapping[str, Any] | None = None,
    expected_state: str | None = None,
    expected_sequence: int | None = None,
) -> Decision:
    """Whether ``event`` may be fired on the record as it is in memory, and if not, every reason.

    Without an actor, roles are left out of account. Without arguments, so are the form's validation and the
    guards that take the firing of an event with a form; those are listed in ``pending_guards``. Where a rule met a
    database that is too busy, the answer is no, as for a record that others are changing.
    """
    binding: Binding = record._lifecycle
    plan = binding.plan(event)
    if plan is None:
        return unknown_event(binding, event, getattr(record, binding.state_name))
    cleaned: dict[str, Any] | None
    errors: dict[str, list[str]] | None = None
    if arguments is None:
        cleaned = _pending(plan)
    else:
        cleaned, errors = clean(plan, arguments)
    try:
        return judge(
            binding,
            plan,
            record,
            actor=actor,
            access=None if actor is None else asked(binding, record, actor, plan.event),
            cleaned=cleaned,
            errors=errors,
            expected_state=expected_state,
            expected_sequence=expected_sequence,
        )
    except DatabaseError as error:
        return _busy(binding, plan, record, error)


def available(record: Any, actor: Any = None) -> list[Event]:
    """The events that would be allowed now, in declared order."""
    binding: Binding = record._lifecycle
    plans = binding.by_state.get(getattr(record, binding.state_name), ())
    if actor is None:
        return [p.event for p in plans if not p.guards or _may(binding, p, record)]
    access = asked(binding, record, actor)
    return [p.event for p in plans if _may(binding, p, record, actor=actor, access=access)]


def _may(binding: Binding, plan: Plan, record: Any, **who: Any) -> bool:
    try:
        return judge(binding, plan, record, cleaned=_pending(plan), **who).allowed
    except DatabaseError as error:
        return _busy(binding, plan, record, error).allowed


def _busy(binding: Binding, plan: Plan, record: Any, error: DatabaseError) -> Decision:
    """The answer where another transaction held what a rule reads. Raises ``error`` where it says something else."""
    if not is_busy(error):
        raise error
    reason = "Another transaction held what its rules read. Try again."
    state = getattr(record, binding.state_name)
    return _denied(binding, plan, state, [Denial("stale_state", reason, plan.name)])


def _pending(plan: Plan) -> dict[str, Any] | None:
    return None if plan.form is not None else {}


def unknown_event(binding: Binding, event: Any, state: str = "") -> Decision:
    """The decision about an event that the lifecycle does not have."""
    name = event if isinstance(event, str) else getattr(event, "name", "") or repr(event)
    known = ", ".join(binding.plans) or "none"
    foreign = not isinstance(event, str) and name in binding.plans
    why = f"The event “{name}” belongs to another lifecycle" if foreign else f"There is no event “{name}”"
    model = str(binding.model._meta.verbose_name)
    near = "" if foreign else nearest(name, binding.plans)
    return Decision(
        allowed=False,
        event=None,
        source=state,
        target=None,
        denials=(Denial("unknown_event", f"{why}. The events of {model} are: {known}.{near}", name),),
    )


def judge(
    binding: Binding,
    plan: Plan,
    record: Any,
    *,
    actor: Any = None,
    access: Access | None = None,
    cleaned: Mapping[str, Any] | None,
    errors: Mapping[str, Sequence[str]] | None = None,
    expected_state: str | None = None,
    expected_sequence: int | None = None,
    stale: str = "",
    foreign: str = "",
    metadata: Mapping[str, Any] | None = None,
    cause: str | None = None,
    occurred_at: Any = None,
) -> Decision:
    """Evaluate every rule in the order of the codes. ``cleaned=None``: the arguments are not known yet.

    ``access`` is who asks; without it, roles are left out of account. ``stale`` says why the caller's copy is not
    what the database holds, ``foreign`` why the row follows another table, where that is known. Raises the
    ``DatabaseError`` of a guard whose query found the database too busy (``is_busy``).
    """
    state = getattr(record, binding.state_name)
    simple = (
        access is None
        and expected_state is None
        and expected_sequence is None
        and not (stale or foreign or errors)
    )
    denials: list[Denial] = []
    behind: Delegator | None = None
    if simple:
        if (answer := _same_each_time(binding, plan, state)) is not None:
            return answer
    else:
        stale = stale or _unexpected(binding, record, state, expected_state, expected_sequence)
        refused, behind = (None, None) if access is None else access.answer(plan)
        denials = [] if refused is None else [refused]
        if refused is None and access is not None and access.rights.approval:
            unapproved = access.approved(plan, getattr(record, SEQUENCE))
            denials += [] if unapproved is None else [unapproved]
        denials += _before_guards(binding, plan, state, stale, foreign)
        may_ask = not denials
        for name, texts in (errors or {}).items():
            denials.extend(Denial("invalid_arguments", text, name) for text in texts)
        if not may_ask:
            return _denied(binding, plan, state, denials)
    firing = None
    if cleaned is not None and not errors and plan.asks_with_firing:
        firing = Firing(
            record=record,
            event=plan.event,
            source=plan.states[state],
            target=plan.target,
            actor=actor,
            arguments=MappingProxyType(dict(cleaned)),
            metadata=MappingProxyType(dict(metadata or {})),
            cause=cause,
            sequence=getattr(record, SEQUENCE) + 1,
            occurred_at=occurred_at,
        )
    decision = _by_guards(binding, plan, record, state, firing, denials)
    return replace(decision, on_behalf_of=behind) if behind is not None and decision.allowed else decision


def _by_guards(
    binding: Binding, plan: Plan, record: Any, state: str, firing: Firing | None, denials: list[Denial]
) -> Decision:
    """Ask every guard, and then the guards of a branch; ``denials`` holds what is wrong with the arguments."""
    passed: list[str] = []
    pending: list[str] = []
    for guard in plan.guards:
        denial = _ask(guard, record, firing, pending)
        if denial is None:
            passed.append(guard.name)
        elif denial is not _PENDING:
            denials.append(denial)
    if not denials and not pending and plan.branch is None:
        return plan.allowed[state]
    target, taken = plan.target, None
    if plan.branch is not None and not denials:
        target, taken = _choose(plan, plan.branch, record, firing, denials, pending)
    if denials:
        return _denied(binding, plan, state, denials, passed, pending)
    return Decision(
        allowed=True,
        event=plan.event,
        source=plan.states[state],
        target=target,
        passed_guards=tuple(passed),
        pending_guards=tuple(pending),
        valid_sources=plan.valid_sources,
        branch=taken,
    )


def _same_each_time(binding: Binding, plan: Plan, state: str) -> Decision | None:
    """The answer that depends on the state alone, from memory: the hot path of ``can_fire()``."""
    if state in plan.sources:
        return None if plan.guards or plan.branch is not None else plan.allowed[state]
    key = (state, get_language())  # labels may be translated
    if key not in plan.denied:
        plan.denied[key] = _denied(binding, plan, state, [_wrong_state(binding, plan, state)])
    return plan.denied[key]


def _before_guards(binding: Binding, plan: Plan, state: str, stale: str, foreign: str) -> Iterator[Denial]:
    """What must fit before guards are asked, beside access: their reasons are not for others."""
    if stale:
        yield Denial("stale_state", stale, plan.name)
    if foreign:
        yield Denial("wrong_state", foreign, plan.name)
    elif state not in plan.sources:
        yield _wrong_state(binding, plan, state)


def _ask(guard: Guard, record: Any, firing: Firing | None, pending: list[str]) -> Denial | None:
    """The denial of one guard, or ``None``; ``_PENDING`` for one that needs what is not known yet."""
    try:
        if not guard.takes_firing:
            answer = guard.function(record)
        elif firing is None:
            pending.append(guard.name)
            return _PENDING
        else:
            answer = guard.function(record, firing)
        if answer is not True:
            refuse_awaitable(answer, "guard", guard.name)
    except Exception as error:
        if is_busy(error):
            raise  # says nothing about the record; the same firing may pass in a moment
        logger.exception("The guard %s of %s raised; the event is denied.", guard.name, type(record).__name__)
        reason = f"The rule “{guard.label}” could not be checked, so the answer is no."
        return Denial("guard_error", reason, guard.name)
    if answer is True:
        return None
    if isinstance(answer, str | Promise):  # a text, translated or not, is a no with a reason
        return Denial("guard_failed", str(answer) or str(guard.reason), guard.name)
    return None if answer else Denial("guard_failed", str(guard.reason), guard.name)


def _choose(
    plan: Plan, branch: Branch, record: Any, firing: Firing | None, denials: list[Denial], pending: list[str]
) -> tuple[State | None, str | None]:
    """The target of a branch and the name of the guard that chose it."""
    for guard, target in branch.cases:
        denial = _ask(guard, record, firing, pending)
        if denial is _PENDING:
            return None, None
        if denial is None:
            return plan.states[target], guard.name
        if denial.code == "guard_error":
            denials.append(denial)
            return None, None
    return plan.states[branch.otherwise], "otherwise"


def _unexpected(
    binding: Binding, record: Any, state: str, expected_state: str | None, expected_sequence: int | None
) -> str:
    if expected_state is not None and state != expected_state:
        return (
            f"It is {binding.state_label(state)}, not {binding.state_label(expected_state)} as expected. "
            + (
                "Look at it again before you decide."
                if expected_state in binding.table.states
                else f"There is no such state; the states are {', '.join(binding.table.states)}."
            )
        )
    if expected_sequence is not None and getattr(record, SEQUENCE) != expected_sequence:
        return (
            f"It is at entry {getattr(record, SEQUENCE)} of its log, and entry {expected_sequence} was expected. Look "
            f"at it again before you decide."
        )
    return ""


def _wrong_state(binding: Binding, plan: Plan, state: str) -> Denial:
    current = binding.table.states.get(state)
    if current is not None and current.terminal:
        return Denial("terminal_state", _final(binding, current), plan.name)
    sources = " or ".join(s.label for s in plan.valid_sources) or "no state"
    return Denial(
        "wrong_state",
        f"{binding.describe_kind()} is {binding.state_label(state)}. “{plan.event.label}” starts from {sources}.",
        plan.name,
    )


def _final(binding: Binding, state: State) -> str:
    ways = [e.label for e in binding.table.events_from(state)]
    if ways:
        return f"{state.label} is final. Only {' or '.join(f'“{way}”' for way in ways)} leads out of it."
    return f"{state.label} is final. No event leaves it."


def _denied(
    binding: Binding,
    plan: Plan,
    state: str,
    denials: list[Denial],
    passed: Sequence[str] = (),
    pending: Sequence[str] = (),
) -> Decision:
    denials.sort(key=lambda denial: denial.order)
    guards = ("guard_failed", "guard_error")
    return Decision(
        allowed=False,
        event=plan.event,
        source=binding.table.states.get(state, state),
        target=plan.target,
        denials=tuple(denials),
        passed_guards=tuple(passed),
        failed_guards=tuple(d.name for d in denials if d.code in guards),
        pending_guards=tuple(pending),
        valid_sources=plan.valid_sources,
    )
