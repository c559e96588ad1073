"""From a decision to the exception that ``fire()`` raises. Must not know how the decision was reached."""

from __future__ import annotations

from typing import Any, Final

from fsm_lifecycle.engine.binding import Binding
from fsm_lifecycle.engine.decision import Decision, Denial
from fsm_lifecycle.exceptions import (
    AccessDenied,
    ApprovalRequired,
    GuardFailed,
    InvalidArguments,
    InvalidTransition,
    LifecycleError,
    StaleState,
    TerminalState,
    UnknownEvent,
)

_CLASSES: Final[dict[str, type[LifecycleError]]] = {
    "unknown_event": UnknownEvent,
    "access_denied": AccessDenied,
    "four_eyes": AccessDenied,
    "approval_required": ApprovalRequired,
    "stale_state": StaleState,
    "terminal_state": TerminalState,
    "wrong_state": InvalidTransition,
    "invalid_arguments": InvalidArguments,
    "guard_failed": GuardFailed,
    "guard_error": GuardFailed,
}


def error_for(binding: Binding, record: Any, decision: Decision) -> LifecycleError:
    """The exception for the first denial; its message gives every reason of the same kind."""
    first = decision.denials[0]
    what = decision.event.label if decision.event else first.name
    same = [d for d in decision.denials if _CLASSES[d.code] is _CLASSES[first.code]]
    reasons = " ".join(dict.fromkeys(_sentence(d) for d in same))
    message = f"{binding.describe(record)}: “{what}” was refused. {reasons}"
    error: LifecycleError
    if _CLASSES[first.code] is InvalidArguments:
        errors: dict[str, list[str]] = {}
        for denial in same:
            errors.setdefault(denial.name, []).append(denial.reason)
        error = InvalidArguments(message, errors)
    else:
        error = _CLASSES[first.code](message)
    if isinstance(error, InvalidTransition):
        error.object = record
    if isinstance(error, GuardFailed):
        error.guard, error.reason = first.name, first.reason
    error.code = first.code
    error.decision = decision
    error.record = record
    return error


def _sentence(denial: Denial) -> str:
    if denial.code == "invalid_arguments" and denial.name:
        return f"{denial.name}: {denial.reason}"
    return denial.reason
