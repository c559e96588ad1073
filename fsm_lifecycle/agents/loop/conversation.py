"""What a model is told of the conversation so far: the messages of earlier turns, mended, and of this one.

Must not know who is asked.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from fsm_lifecycle.agents.message import AgentMessage
from fsm_lifecycle.agents.run import AgentRun

_NOT_RUN: Final = json.dumps({"success": False, "code": "not_run", "reasons": ["The run had ended before."]})


def tool_calls(content: Iterable[Mapping[str, Any]]) -> list[tuple[int, Mapping[str, Any]]]:
    """The tool calls of a message, each with its place in it."""
    return [(place, block) for place, block in enumerate(content) if block["type"] == "tool_use"]


def call_key(message: AgentMessage, place: int) -> str:
    """What names a tool call for good: where it stands. The model's own id changes when it is asked again."""
    return f"{message.seq}.{place}"


def of(run: AgentRun) -> list[dict[str, Any]]:
    """The whole conversation up to now, in Anthropic's format, ready to be sent."""
    using = run._state.db or "default"
    earlier = AgentRun.objects.using(using).filter(
        conversation=run.conversation, user_key=run.user_key, agent=run.agent, pk__lte=run.pk
    )
    keys = list(earlier.order_by("pk").values_list("pk", flat=True))
    rows = AgentMessage.objects.using(using).filter(run_id__in=keys).order_by("run_id", "seq")
    return mended([(row.role, row.content) for row in rows])


def mended(messages: Sequence[tuple[str, list[Any]]]) -> list[dict[str, Any]]:
    """Every call has its result, roles take turns, and the last word is the user's.

    A turn that was stopped leaves calls that were not run, and prompts without an answer.
    """
    found: list[dict[str, Any]] = []
    for role, content in messages:
        blocks = list(content)
        unanswered = _calls_of(found[-1]) if found else []
        if unanswered:
            answered = {block["tool_use_id"] for block in blocks if block["type"] == "tool_result"}
            missing = [_result(name) for name in unanswered if name not in answered]
            if role == "user":
                blocks = missing + blocks
            elif missing:
                found.append({"role": "user", "content": missing})
        if not blocks:
            continue
        if found and found[-1]["role"] == role:
            found[-1]["content"] = found[-1]["content"] + blocks
        else:
            found.append({"role": role, "content": blocks})
    return found


def _calls_of(message: Mapping[str, Any]) -> list[str]:
    if message["role"] != "assistant":
        return []
    return [block["id"] for _, block in tool_calls(message["content"])]


def _result(call: str) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": call, "content": _NOT_RUN, "is_error": True}
