"""Owns one tool call of a program: which call it is, and what is said beside dispatch's answer.

Must not know the protocol, nor check anything: ``agents.dispatch`` does.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet

from fsm_lifecycle.agents import dispatch
from fsm_lifecycle.agents.answers import Answer
from fsm_lifecycle.agents.call import digest_of
from fsm_lifecycle.agents.proposal import PENDING
from fsm_lifecycle.mcp.links import proposal_url
from fsm_lifecycle.mcp.principal import SURFACE, Principal
from fsm_lifecycle.models import AgentEvent, AgentRun, Proposal


def call(
    principal: Principal, name: str, arguments: Mapping[str, Any] | None, key: Any = None, base: str = ""
) -> Answer:
    """Call a tool and return its answer, plain JSON, with the address of the proposal that it waits for.

    ``key``: the caller's own name for the call; the same again gives the same answer, and the outcome of a proposal.
    """
    given = dict(arguments or {})
    run = principal.run()
    if isinstance(key, str) and key:
        waiting, call_id = None, f"key:{key}"
    else:
        waiting = _waiting(run, name, given)
        call_id = waiting.call if waiting is not None else f"mcp:{uuid.uuid4().hex}"
    answer = dispatch(waiting.run if waiting is not None else run, name, given, call_id)
    if answer.get("code") == "tool_calls":
        _used_up(run)
    return _with_url(answer, base)


def _waiting(run: AgentRun, name: str, arguments: dict[str, Any]) -> Proposal | None:
    """The proposal that waits already where the same is asked for again: who asks twice has one decided, not two."""
    using = run._state.db or "default"
    rows: QuerySet[Proposal] = QuerySet(Proposal, using=using)
    mine = rows.filter(
        status=PENDING,
        run__surface=SURFACE,
        run__agent=run.agent,
        run__user_key=run.user_key,
        run__token_id=run.token_id,
    )
    found = {(one.run_id, one.call): one for one in mine.select_related("run").order_by("pk")}
    if not found:
        return None
    events: QuerySet[AgentEvent] = QuerySet(AgentEvent, using=using)
    asked = events.filter(run_id__in={key[0] for key in found}, call__in={key[1] for key in found})
    digest = _digest(name, arguments)
    for event in asked.filter(kind="tool_call"):
        if event.payload.get("digest") == digest and (event.run_id, event.call) in found:
            return found[event.run_id, str(event.call)]
    return None


def _digest(name: str, arguments: dict[str, Any]) -> str | None:
    try:
        return digest_of(name, arguments)
    except (TypeError, ValueError, RecursionError):  # dispatch says what is wrong with them
        return None


def _used_up(run: AgentRun) -> None:
    """Put down why nothing more is done today."""
    rows: QuerySet[AgentRun] = QuerySet(AgentRun, using=run._state.db)
    rows.filter(pk=run.pk, stop_reason="").update(stop_reason="tool_calls")


def _with_url(answer: Answer, base: str) -> Answer:
    """A proposal that waits, with the page where a person decides. Such a page is no secret: it asks who comes."""
    if answer.get("code") != "approval_required" or "proposal" not in answer:
        return answer
    url = proposal_url(answer["proposal"], base)
    if url is None:
        return answer
    return {**answer, "url": url, "reasons": [*answer["reasons"], f"A person decides here: {url}"]}
