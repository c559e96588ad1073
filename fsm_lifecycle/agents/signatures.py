"""Owns how a Python annotation becomes JSON Schema, and a JSON value what the annotation says.

Must not know whose annotations they are.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any, Literal
from uuid import UUID

from django.db.models import Model

_PLAIN: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    Decimal: {"type": ["string", "number"]},
    date: {"type": "string", "format": "date"},
    datetime: {"type": "string", "format": "date-time"},
    time: {"type": "string", "format": "time"},
    UUID: {"type": "string", "format": "uuid"},
    list: {"type": "array"},
    dict: {"type": "object"},
}
_READ: dict[Any, Callable[[Any], Any]] = {
    Decimal: lambda value: Decimal(str(value)),
    date: date.fromisoformat,
    datetime: datetime.fromisoformat,
    time: time.fromisoformat,
    UUID: UUID,
    float: float,
}


class Undescribable(ValueError):
    """A signature that cannot be told to a model."""


class Unreadable(ValueError):
    """A value of the right JSON type that the annotation does not take."""


def described(kind: Any, name: str) -> dict[str, Any]:
    """The JSON Schema of an annotation. Raises ``Undescribable``."""
    if kind in _PLAIN:
        return dict(_PLAIN[kind])
    if is_record(kind):
        return {"type": "string", "description": f"The id of a {kind._meta.verbose_name}."}
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal and all(isinstance(value, str | int) for value in inner):
        return {"enum": list(inner)}
    if origin in (typing.Union, types.UnionType):
        some = [one for one in inner if one is not type(None)]
        if len(some) == 1 and len(inner) == 2:
            return {"anyOf": [described(some[0], name), {"type": "null"}]}
    if origin is list and len(inner) == 1:
        return {"type": "array", "items": described(inner[0], name)}
    if origin is dict:
        return {"type": "object"}
    raise Undescribable(
        f"its argument {name!r} is annotated with {kind!r}; use str, int, float, bool, Decimal, date, datetime, time, "
        f"UUID, a lifecycle model, Literal[...], list[...], dict or one of these | None"
    )


def is_record(kind: Any) -> bool:
    """Whether an annotation is a model with a lifecycle."""
    return isinstance(kind, type) and issubclass(kind, Model) and hasattr(kind, "_lifecycle")


def read(kind: Any, value: Any, load: Callable[[Any, Any], Any]) -> Any:
    """A JSON value, whose type was checked, as the annotation says. ``load`` finds a model's record by its id.

    Raises ``Unreadable``, and what ``load`` raises.
    """
    if is_record(kind):
        return load(kind, value)
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return None if value is None else read(next(k for k in inner if k is not type(None)), value, load)
    if origin is list:
        return [read(inner[0], one, load) for one in value]
    if kind not in _READ:
        return value
    try:
        found = _READ[kind](value)
    except (ValueError, InvalidOperation, OverflowError):
        raise Unreadable(f"{value!r:.80} is no {kind.__name__}.") from None
    if isinstance(found, Decimal) and not found.is_finite():
        raise Unreadable(f"{value!r:.80} is no number.")
    return found
