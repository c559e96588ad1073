"""Owns an agent's own tools: a method under ``@tool``, described and checked by its signature.

Must not know how a tool is called, nor which agent has it.
"""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from fsm_lifecycle.agents.signatures import Undescribable, described

F = TypeVar("F", bound=Callable[..., Any])

_MARK = "_lifecycle_tool"


@dataclass(frozen=True, slots=True)
class OwnTool:
    """One method as a tool."""

    name: str
    description: str
    schema: Mapping[str, Any]
    """The JSON Schema of its arguments."""
    kinds: Mapping[str, Any]
    """The annotation of each argument."""
    function: Callable[..., Any]
    """Called with the agent, the run and the arguments by name."""


def tool(function: F) -> F:
    """Make a method of an agent a tool: ``@tool def overdue(self, run, days: int = 0) -> list[dict]: ...``.

    Its first docstring paragraph tells the model what it does; its annotations say what it takes. It runs in one
    transaction with the agent as the current actor, so that whatever it fires is decided by the agent's policy.
    """
    setattr(function, _MARK, True)
    return function


def is_tool(value: Any) -> bool:
    """Whether a class attribute is a method under ``@tool``."""
    return callable(value) and getattr(value, _MARK, False) is True


def own_tool(name: str, function: Callable[..., Any]) -> OwnTool:
    """The tool of a method. Raises ``Undescribable`` where its signature cannot be told to a model."""
    parameters = list(inspect.signature(function).parameters.values())[1:]
    if not parameters or parameters[0].kind not in (
        parameters[0].POSITIONAL_ONLY,
        parameters[0].POSITIONAL_OR_KEYWORD,
    ):
        raise Undescribable("it does not take the run; write (self, run, ...)")
    hints = _hints(function, [parameter.name for parameter in parameters[1:]])
    properties: dict[str, Any] = {}
    required: list[str] = []
    kinds: dict[str, Any] = {}
    for parameter in parameters[1:]:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise Undescribable(f"its argument {parameter.name!r} has no name to be given by")
        if parameter.name not in hints:
            raise Undescribable(f"its argument {parameter.name!r} has no annotation")
        kind = hints[parameter.name]
        kinds[parameter.name] = kind
        properties[parameter.name] = described(kind, parameter.name)
        if parameter.default is parameter.empty:
            required.append(parameter.name)
    text = inspect.getdoc(function) or ""
    if not text.strip():
        raise Undescribable("it has no docstring, so the model cannot be told what it does")
    schema = {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }
    return OwnTool(name, text.strip(), schema, kinds, function)


def _hints(function: Callable[..., Any], names: list[str]) -> dict[str, Any]:
    """The annotations of these arguments. Those of the run and the result may be known to checkers alone."""
    written = {k: v for k, v in getattr(function, "__annotations__", {}).items() if k in names}
    bare = types.SimpleNamespace(__annotations__=written)
    try:
        return typing.get_type_hints(bare, globalns=getattr(function, "__globals__", {}))
    except Exception as error:
        raise Undescribable(f"its annotations cannot be read ({type(error).__name__})") from error
