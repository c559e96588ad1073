"""What a request asks of an event: the arguments, and which version of the record is meant. Must not judge them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from fsm_lifecycle.api.arguments import form_input, unknown_names
from fsm_lifecycle.api.problem import Fault, unknown, unreadable
from fsm_lifecycle.engine.binding import Plan

OF_ONE: Final = ("arguments", "expected_state", "expected_sequence", "metadata")
OF_MANY: Final = ("ids", "arguments", "all_or_nothing", "metadata")


@dataclass(frozen=True, slots=True)
class Asked:
    """The body of a request for an event."""

    arguments: dict[str, Any]
    """As ``fire()`` takes them."""
    faults: tuple[Fault, ...]
    """What of the arguments is not of the right shape."""
    metadata: dict[str, Any] | None
    expected_state: str | None = None
    expected_sequence: int | None = None

    @classmethod
    def read(cls, plan: Plan, body: Mapping[str, Any]) -> Asked:
        """From a body whose names are known. Raises a ``Problem`` for what cannot be read."""
        given = _mapping(body, "arguments") or {}
        if extra := unknown_names(plan.form, given):
            raise unknown(extra, "argument", list(getattr(plan.form, "base_fields", {})))
        arguments, faults = form_input(plan.form, given)
        state, sequence = body.get("expected_state"), body.get("expected_sequence")
        if state is not None and not isinstance(state, str):
            raise unreadable("expected_state", "Give a text.")
        if sequence is not None and type(sequence) is not int:
            raise unreadable("expected_sequence", "Give a whole number.")
        return cls(arguments, tuple(faults), _mapping(body, "metadata"), state, sequence)


@dataclass(frozen=True, slots=True)
class AskedOfMany:
    """The body of a request for an event on several records."""

    ids: tuple[str | int, ...]
    asked: Asked
    all_or_nothing: bool

    @classmethod
    def read(cls, plan: Plan, body: Mapping[str, Any], most: int) -> AskedOfMany:
        """From a body whose names are known. Raises a ``Problem`` for what cannot be read."""
        ids, together = body.get("ids"), body.get("all_or_nothing", False)
        if not isinstance(ids, list) or not all(_is_id(one) for one in ids):
            raise unreadable("ids", "Give a list of keys, texts or whole numbers.")
        if len(ids) > most:
            raise unreadable("ids", f"Give at most {most}.")
        if len({str(one) for one in ids}) != len(ids):
            raise unreadable("ids", "Give each once.")
        if not isinstance(together, bool):
            raise unreadable("all_or_nothing", "Give true or false.")
        return cls(tuple(ids), Asked.read(plan, body), together)


def _is_id(one: Any) -> bool:
    return isinstance(one, str) or type(one) is int


def _mapping(body: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    value = body.get(name)
    if value is not None and not isinstance(value, dict):
        raise unreadable(name, "Give an object.")
    return value
