"""What the OpenAPI document says of proposals and runs. Must not know how the document is written."""

from __future__ import annotations

from typing import Any, Final

from fsm_lifecycle.api.documented import (
    CHANGING,
    IDEMPOTENCY_KEY,
    IF_NONE_MATCH,
    PAGE_SIZE,
    Documented,
    Parameter,
)
from fsm_lifecycle.api.documenting import CURSOR, listed, ref

_KEY: Final = Parameter("pk", "Its key.", "path", {"type": "integer"}, required=True)
_DECIDED: Final = {
    "type": "object",
    "properties": {
        "entries": {"type": "array", "items": ref("LifecycleEntry")},
        "proposal": ref("AgentProposal"),
    },
    "required": ["entries", "proposal"],
}


def _body(name: str, words: str, *, required: bool) -> dict[str, Any]:
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {name: {"type": "string", "description": words}},
        "additionalProperties": False,
    }
    return {**schema, "required": [name]} if required else schema


def _read(id_: str, summary: str, answer: Any, *parameters: Parameter) -> Documented:
    return Documented(
        id=id_,
        summary=summary,
        tag="agents",
        parameters=(*parameters, IF_NONE_MATCH),
        answers={200: answer, 304: None},
    )


def _decide(id_: str, summary: str, request: Any) -> Documented:
    return Documented(
        id=id_,
        summary=summary,
        tag="agents",
        parameters=(_KEY, IDEMPOTENCY_KEY),
        request=request,
        answers={200: _DECIDED},
        problems=CHANGING,
    )


#: By view and action.
DOCUMENTS: Final[dict[str, Documented]] = {
    "proposals.list": _read(
        "listProposals",
        "What agents ask for",
        listed(ref("AgentProposal")),
        Parameter("status", "Only these: pending, approved, declined, stale, expired, failed."),
        CURSOR,
        PAGE_SIZE,
    ),
    "proposals.retrieve": _read("getProposal", "One proposal", ref("AgentProposal"), _KEY),
    "proposals.approve": _decide(
        "approveProposal",
        "Carry it out, as it is stored",
        _body("digest", "What was shown: 409 where it is not what is stored.", required=False),
    ),
    "proposals.decline": _decide(
        "declineProposal", "Say no, and why", _body("reason", "Why. The agent is told.", required=True)
    ),
    "runs.list": _read("listRuns", "What agents did for you", listed(ref("AgentRun")), CURSOR, PAGE_SIZE),
    "runs.retrieve": _read("getRun", "One run", ref("AgentRun"), _KEY),
}
