"""Owns short sentences about runs and answers: a status, why a run ended, what came of a call. Must not know HTML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fsm_lifecycle.agents.loop.ending import REASONS
from fsm_lifecycle.agents.proposal import APPROVED, DECLINED, EXPIRED, FAILED, PENDING, STALE
from fsm_lifecycle.agents.run import DONE, QUEUED, RUNNING, STOPPED, WAITING, AgentRun
from fsm_lifecycle.agents.run import FAILED as RUN_FAILED

#: What the status of a run is called in a list.
STATUSES: Final[dict[str, str]] = {
    QUEUED: "queued",
    RUNNING: "at work",
    WAITING: "waits for a person",
    DONE: "done",
    STOPPED: "stopped",
    RUN_FAILED: "failed",
}
#: What the status of a proposal is called, and its class as a tag.
DECISIONS: Final[dict[str, tuple[str, str]]] = {
    PENDING: ("waits", "is-warn"),
    APPROVED: ("approved", "is-ok"),
    DECLINED: ("declined", ""),
    STALE: ("out of date", ""),
    EXPIRED: ("lapsed", ""),
    FAILED: ("failed", "is-error"),
}
#: Where a run was asked for.
SURFACES: Final[dict[str, str]] = {
    "chat": "chat",
    "tester": "tester",
    "mcp": "MCP",
    "command": "a command",
    "api": "the REST API",
    "code": "code",
}
#: Limits by their code, as they are said after “Stopped:”.
_LIMITS: Final[dict[str, str]] = {
    "turns": "turns",
    "tool_calls": "tool calls",
    "tokens": "tokens",
    "cost": "cost",
    "seconds": "time",
    "daily_tokens": "tokens of the day",
    "disabled": "switched off",
    "user": "by a person",
}
_LONGEST: Final = 90


def status_of(run: AgentRun) -> str:
    """``stopped: tokens``."""
    words = STATUSES.get(run.status, str(run.status))
    if run.status == STOPPED and run.stop_reason in _LIMITS:
        return f"{words}: {_LIMITS[run.stop_reason]}"
    return words


def announced(run: AgentRun) -> str:
    """What a screen reader is told of a run's status."""
    if run.status == DONE:
        return "Answer complete."
    if run.status == WAITING:
        return "Waits for a decision."
    if run.status in (STOPPED, RUN_FAILED):
        return f"{ended(run)[0]}."
    return "Stopping." if run.stop_requested else "Sent." if run.status == QUEUED else "At work."


def ended(run: AgentRun) -> tuple[str, str]:
    """Why a run ended early: a heading, and a sentence."""
    reason = str(REASONS.get(run.stop_reason, ""))
    heading = "Failed" if run.status == RUN_FAILED else f"Stopped: {_LIMITS.get(run.stop_reason, 'early')}"
    return heading, reason


def came_of(result: Any) -> str:
    """What a tool answered, in a few words: ``8 invoices``, ``refused: …``, ``draft → sent``."""
    if not isinstance(result, Mapping):
        return "erased"
    if result.get("success") is not True:
        reasons = result.get("reasons")
        first = str(reasons[0]) if isinstance(reasons, list) and reasons else str(result.get("code", ""))
        return _short(f"refused: {first}")
    if isinstance(result.get("records"), list):
        return _counted(len(result["records"]), "record", more=result.get("next_cursor") is not None)
    if isinstance(result.get("entries"), list):
        return _counted(len(result["entries"]), "entry", more=result.get("next_cursor") is not None)
    if isinstance(result.get("available"), list):
        return f"{len(result['available'])} possible now"
    if isinstance(result.get("steps"), list):
        return f"{len(result['steps'])} steps done"
    if result.get("from") is not None and result.get("to") is not None:
        return _short(f"{result['from']} → {result['to']}")
    if isinstance(result.get("record"), Mapping):
        return _short(f"{result['record'].get('id', '')}, {result.get('current_state', '')}")
    found = result.get("untrusted")
    return _counted(len(found), "row") if isinstance(found, list) else "answered"


def _counted(number: int, word: str, *, more: bool = False) -> str:
    many = f"{word[:-1]}ies" if word.endswith("y") else f"{word}s"
    return f"{number} {word if number == 1 and not more else many}{' and more' if more else ''}"


def _short(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= _LONGEST else f"{plain[: _LONGEST - 1]}…"


def titled(prompt: str) -> str:
    """A conversation's name: how its first message begins."""
    plain = " ".join(prompt.split())
    if not plain:
        return "(erased)"
    return plain if len(plain) <= 60 else f"{plain[:59].rstrip()}…"
