"""Owns what a tool call is answered with: plain JSON, the same shape for every surface.

``{"success": true, …}``, or ``{"success": false, "code", "reasons", "current_state", …}``. Never an exception's text.
Must not know what was asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fsm_lifecycle.engine.decision import Decision, Denial
from fsm_lifecycle.exceptions import InvalidArguments, LifecycleError

Answer = dict[str, Any]

NOT_FOUND = "There is no such record, or the user may not see it."

#: What is said of errors that no decision made: their own text is for the host project.
_WORDS: Mapping[str, str] = {
    "stale_state": "The record has changed, or somebody else is changing it. Look at it again.",
    "idempotency_conflict": "This call was made before with other arguments. Make a new call.",
    "cause_loop": "The event would set off itself, so nothing was done.",
    "legal_hold": "A legal hold keeps the record as it is.",
    "protection_outdated": "The database is being changed. Try again later.",
}
_FAILED = "It failed in its own code, and nothing was changed. The server's log says why."


class Refused(Exception):
    """Leaves a tool's transaction with the answer that it was refused."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(str(answer["code"]))
        self.answer = answer


def success(**values: Any) -> Answer:
    """What was asked for."""
    return {"success": True, **values}


def refusal(code: str, reasons: Iterable[str], current_state: str | None = None, **more: Any) -> Answer:
    """Why it was not done. ``current_state`` is the record's, where there is one that the user may see."""
    return {
        "success": False,
        "code": code,
        "reasons": list(dict.fromkeys(reasons)),
        "current_state": current_state,
        **more,
    }


def denied(decision: Decision, current_state: str | None = None, **more: Any) -> Answer:
    """The refusal of a decision: its first code, and every reason."""
    return refusal(decision.denials[0].code, map(said, decision.denials), current_state, **more)


def said(denial: Denial) -> str:
    """A denial as a sentence, with the argument it is about."""
    if denial.code in ("invalid_arguments", "unknown_argument") and denial.name:
        return f"{denial.name}: {denial.reason}"
    return denial.reason


def of_error(error: LifecycleError, current_state: str | None = None) -> Answer:
    """The refusal that an exception of this package stands for."""
    if error.decision is not None and error.decision.denials:
        return denied(error.decision, current_state)
    if isinstance(error, InvalidArguments) and error.errors:
        texts = [
            f"{name}: {text}" if name else text for name, found in error.errors.items() for text in found
        ]
        return refusal(error.code, texts, current_state)
    return refusal(error.code, [_WORDS.get(error.code, "It was refused.")], current_state)


def failure(current_state: str | None = None) -> Answer:
    """Something raised what it should not have."""
    return refusal("tool_failed", [_FAILED], current_state)
