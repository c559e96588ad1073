"""A run as text for a terminal, event by event, and as one JSON document at its end.

What a model wrote is text: nothing in it may move a cursor or turn a line around. Must not know where it is written to.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from fsm_lifecycle.agents.event import AgentEvent
from fsm_lifecycle.agents.loop.ending import REASONS
from fsm_lifecycle.agents.run import AgentRun

# Control characters but tab and newline, and those that change the direction of text.
_UNSHOWN: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_LONGEST: Final = 160


def plain(text: str) -> str:
    """The text without what a terminal would obey."""
    return _UNSHOWN.sub("\ufffd", text)


class Transcript:
    """Turns events into text, as it is to be written: whole lines, and the model's own text as it comes."""

    def __init__(self) -> None:
        self._in_text = False

    def of(self, event: AgentEvent) -> str:
        """What is to be written for an event; often nothing."""
        payload = event.payload
        if event.kind == "text":
            self._in_text = True
            return plain(payload["text"])
        line = self._line(event.kind, payload)
        if not line:
            return ""
        return f"{self.ended()}{line}\n"

    def ended(self) -> str:
        """What ends the text that is being written, if some is."""
        was, self._in_text = self._in_text, False
        return "\n" if was else ""

    def _line(self, kind: str, payload: Mapping[str, Any]) -> str:
        if kind == "tool_call":
            return f"→ {_short(payload.get('name', ''))}{_arguments(payload.get('arguments'))}"
        if kind == "tool_result":
            return f"← {_outcome(payload.get('result'))}"
        if kind == "discarded":
            return f"… asked again: {_short(str(payload.get('why', '')))}"
        return ""


def _arguments(given: Any) -> str:
    if not isinstance(given, Mapping):
        return "()"
    return _short(
        "("
        + ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in given.items())
        + ")"
    )


def _outcome(result: Any) -> str:
    if isinstance(result, Mapping) and result.get("success") is False:
        reasons = result.get("reasons") or []
        return _short(f"{result.get('code', 'refused')}: {' '.join(map(str, reasons))}".rstrip(": "))
    return _short(json.dumps(result, ensure_ascii=False, default=str))


def _short(text: str) -> str:
    shown = plain(" ".join(text.split()))
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…"


def document(run: AgentRun) -> dict[str, Any]:
    """A run as one JSON document."""
    using = run._state.db or "default"
    events = AgentEvent.objects.using(using).filter(run_id=run.pk).order_by("seq")
    calls: dict[str | None, dict[str, Any]] = {}
    for event in events.filter(kind__in=("tool_call", "tool_result")):
        call = calls.setdefault(event.call, {"name": event.payload.get("name", "")})
        for name in ("arguments", "result"):
            if name in event.payload:
                call[name] = event.payload[name]
    return {
        "run": run.pk,
        "agent": run.agent,
        "model": run.model,
        "user": run.user_key,
        "status": run.status,
        "stop_reason": run.stop_reason,
        "answer": run.answer,
        "turns": run.turns,
        "tool_calls": run.tool_calls,
        "input_tokens": run.input_tokens,
        "output_tokens": run.output_tokens,
        "cost": str(run.cost),
        "seconds": round(run.seconds, 3),
        "calls": list(calls.values()),
        "proposals": [
            {"id": one.pk, "event": one.event, "object_pk": one.object_pk, "status": one.status}
            for one in run.proposals.order_by("pk")
        ],
    }


def why(run: AgentRun) -> str:
    """Why it ended or waits, in words."""
    return str(REASONS.get(run.stop_reason, run.stop_reason))
