"""Running the tools that a message calls, each once, and answering the model with what came of them.

A call is named by its place in the conversation, not by the model's id of it: ``dispatch`` gives the same name the same
answer, however often a worker dies in between. Must not know any tool.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from fsm_lifecycle.agents.dispatching import dispatch
from fsm_lifecycle.agents.loop import conversation
from fsm_lifecycle.agents.loop.accounting import Account
from fsm_lifecycle.agents.loop.asking import gate
from fsm_lifecycle.agents.loop.ending import Waiting
from fsm_lifecycle.agents.loop.held import Held
from fsm_lifecycle.agents.message import AgentMessage
from fsm_lifecycle.agents.proposal import PENDING, Proposal

#: Characters of one result that a model gets to read.
MOST: Final = 40_000


def carry_out(held: Held, account: Account, message: AgentMessage) -> None:
    """Run the calls of a message, in order, and write the answer down. Raises ``Waiting`` and ``Ending``."""
    answers = []
    for place, block in conversation.tool_calls(message.content):
        key = conversation.call_key(message, place)
        result = _result(held, account, key, block)
        answers.append(
            {
                "type": "tool_result",
                "tool_use_id": block["id"],
                "content": _text(result),
                "is_error": result.get("success") is False,
            }
        )
    held.write(lambda: held.say(message.seq + 1, "user", answers))


def _result(held: Held, account: Account, key: str, block: Mapping[str, Any]) -> dict[str, Any]:
    """What has come of a call. Raises ``Waiting`` while a person has to decide."""
    while True:
        if not held.events.filter(call=key, kind="tool_result").exists():
            gate(held)
            if not held.events.filter(
                call=key, kind="tool_call"
            ).exists():  # else it was counted before a crash
                account.before_a_tool()
        result = dispatch(held.run, block["name"], block["input"], key)
        held.run.refresh_from_db(using=held.using, fields=["tool_calls"])
        held.tell()
        if not _undecided(held, key):
            return result
        if held.wait(lambda: _undecided(held, key)):
            raise Waiting


def _undecided(held: Held, key: str) -> bool:
    rows = Proposal.objects.using(held.using).filter(run_id=held.run.pk, call=key)
    return rows.filter(status=PENDING).exists()


def _text(result: Any) -> str:
    text = json.dumps(result, ensure_ascii=False)
    if len(text) <= MOST:
        return text
    goes_on = {"next_cursor": result["next_cursor"]} if "next_cursor" in result else {}
    return json.dumps({"truncated": True, **goes_on, "beginning": text[: MOST - 200]}, ensure_ascii=False)
