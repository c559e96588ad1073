"""Owns the tools of an agent as the explorer tells of them: description, arguments as a table, schema.

Must not know HTML.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from fsm_lifecycle.admin.agents.reaching import why_a_person
from fsm_lifecycle.agents.catalogue import Catalogue, Tool
from fsm_lifecycle.agents.naming import Meant
from fsm_lifecycle.agents.profile import Profile
from fsm_lifecycle.agents.risk import FOUR_EYES, NEVER
from fsm_lifecycle.agents.schemas import firing_schema, plan_schema, schema_of

_WORDS: Final[dict[str, str]] = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "yes or no",
    "array": "list",
    "object": "object",
    "null": "none",
}
_FORMATS: Final[dict[str, str]] = {
    "date": "date",
    "date-time": "moment",
    "time": "time",
    "email": "e-mail",
    "uri": "address",
}


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a tool."""

    name: str
    type: str
    rules: str


@dataclass(frozen=True, slots=True)
class Shown:
    """One tool."""

    name: str
    kind: str
    tag: str
    tag_class: str
    description: str
    arguments: tuple[Argument, ...]
    needs: str
    """Why it needs a person."""
    schema: str


def shown(profile: Profile, tool: Tool) -> Shown:
    """A tool as the explorer tells of it."""
    tag, tag_class = _tag(tool)
    scope = profile.scope_of(tool.lifecycle) if tool.lifecycle else None
    return Shown(
        name=tool.name,
        kind=tool.kind,
        tag=tag,
        tag_class=tag_class,
        description=tool.description,
        arguments=tuple(arguments(tool.schema)),
        needs=why_a_person(scope, tool.event) if scope is not None and tool.event else "",
        schema=json.dumps(tool.schema, indent=2, ensure_ascii=False, default=str),
    )


def _tag(tool: Tool) -> tuple[str, str]:
    if tool.approval == FOUR_EYES:
        return "needs another person", "is-warn"
    if tool.approval != NEVER:
        return "needs a person", "is-warn"
    if tool.read_only:
        return "reads", ""
    return ("the agent’s own", "") if tool.kind == "own" else ("fires", "")


def arguments(schema: Mapping[str, Any]) -> Iterator[Argument]:
    """The arguments of a schema in words."""
    required = schema.get("required", [])
    for name, one in schema["properties"].items():
        rules = ["required"] if name in required else []
        if "enum" in one:
            rules.append(", ".join(str(value) or "empty" for value in one["enum"]))
        rules += _limits(one)
        if one.get("description"):
            rules.append(str(one["description"]))
        yield Argument(name, _type(one), "; ".join(rules) or "–")


def _limits(one: Mapping[str, Any]) -> Iterator[str]:
    for low, high, unit in (
        ("minLength", "maxLength", " characters"),
        ("minimum", "maximum", ""),
        ("minItems", "maxItems", " items"),
    ):
        if low in one and high in one:
            yield f"{one[low]:,} to {one[high]:,}{unit}"
        elif high in one:
            yield f"at most {one[high]:,}{unit}"
        elif low in one:
            yield f"at least {one[low]:,}{unit}"


def _type(one: Mapping[str, Any]) -> str:
    if "enum" in one:
        return "choice"
    kinds = one.get("type", [])
    kinds = kinds if isinstance(kinds, list) else [kinds]
    if one.get("format") in _FORMATS:
        return _FORMATS[one["format"]]
    return " or ".join(_WORDS.get(kind, str(kind)) for kind in kinds if kind != "null") or "anything"


def others(profile: Profile, offered: Catalogue) -> dict[str, Meant]:
    """The agent's tools that this user is not offered now, by name. Calling one is refused, and on record."""
    known = {tool.name for tool in offered.tools}
    return {name: meant for name, meant in profile.names.meant.items() if name not in known}


def schema_named(profile: Profile, name: str) -> Mapping[str, Any] | None:
    """The schema of any of the agent's tools, offered or not; ``None`` for a name that is none of its."""
    meant = profile.names.meant.get(name)
    if meant is None:
        return None
    if meant.kind == "own":
        return next(one.schema for one in profile.own_tools if one.name == meant.own)
    scope = profile.scopes[meant.place]
    if meant.kind == "fire":
        return firing_schema(scope, scope.table.events[meant.event])
    return plan_schema(scope) if meant.kind == "plan" else schema_of(meant.kind, scope)


def states_of(profile: Profile, name: str) -> list[str]:
    """The states that ``expected_state`` of an event's tool may be given, those it starts from first."""
    meant = profile.names.meant.get(name)
    if meant is None or meant.kind != "fire":
        return []
    table = profile.scopes[meant.place].table
    sources = [str(source) for source in table.events[meant.event].sources]
    return list(dict.fromkeys([*sources, *map(str, table.states)]))
