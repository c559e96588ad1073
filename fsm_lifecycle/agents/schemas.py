"""Owns the JSON Schemas of the tools that the table gives. Must not know who is told of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from fsm_lifecycle.agents.fields import filters_of
from fsm_lifecycle.agents.profile import Scope
from fsm_lifecycle.definition import Event
from fsm_lifecycle.engine import argument_schema

#: So many steps a plan has at most.
STEPS: Final = 50

_CURSOR: Final = {"type": "string", "description": "next_cursor of the page before."}


def strict(properties: dict[str, Any], required: Sequence[str]) -> dict[str, Any]:
    """An object with these properties and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def schema_of(kind: str, scope: Scope) -> dict[str, Any]:
    """The arguments of a tool that reads: ``list``, ``get``, ``events`` or ``history``."""
    if kind == "list":
        states = list(map(str, scope.table.states))
        return strict(
            {
                "state": {"enum": states, "description": "Only those in this state."},
                "filters": filters_of(scope),
                "cursor": _CURSOR,
            },
            [],
        )
    id_ = {"id": _id(scope)}
    return strict({**id_, "cursor": _CURSOR} if kind == "history" else id_, ["id"])


def firing_schema(scope: Scope, event: Event) -> dict[str, Any]:
    """The arguments of an event's tool: which record, in which state, and the event's own."""
    form = argument_schema.schema_of(event.arguments)
    sources = ", ".join(str(source) for source in event.sources)
    mine = {
        "id": _id(scope),
        "expected_state": {
            "type": "string",
            "description": f"The state it was in when you looked last. This starts from: {sources}.",
        },
    }
    return strict({**mine, **form["properties"]}, ["id", "expected_state", *form["required"]])


def plan_schema(scope: Scope, events: Sequence[str] | None = None) -> dict[str, Any]:
    """The arguments of a plan. ``events``: those that are offered; without them, any name."""
    return steps_schema(step_schema(scope, events))


def steps_schema(step: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A list of steps, each of which is ``step``; without it, each is whatever it is."""
    return strict(
        {"steps": {"type": "array", "items": step or {}, "minItems": 1, "maxItems": STEPS}}, ["steps"]
    )


def step_schema(scope: Scope, events: Sequence[str] | None = None) -> dict[str, Any]:
    """One step of a plan; ``events`` as for the plan."""
    return strict(
        {
            "event": {"type": "string"} if events is None else {"enum": list(events)},
            "id": _id(scope),
            "expected_state": {
                "type": "string",
                "description": "The state it is in when this step is reached.",
            },
            "arguments": {
                "type": "object",
                "description": "The event's own arguments, as its tool takes them.",
            },
        },
        ["event", "id", "expected_state"],
    )


def _id(scope: Scope) -> dict[str, Any]:
    return {"type": "string", "description": f"The id of the {scope.model._meta.verbose_name}."}
