"""A guard: a pure predicate with a reason that a person can read.

Must not know when it is asked, nor what a denial becomes.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from fsm_lifecycle.definition.member import Text, in_words

F = TypeVar("F", bound=Callable[..., Any])
_MARK: Final = "_lifecycle_guard"


def guard(reason: Text, *, label: Text = "") -> Callable[[F], F]:
    """Mark a function as a guard and give the reason people read when it says no.

    The function takes ``(record)`` or ``(record, firing)``. A truthy answer passes; ``False`` or ``None``
    denies with ``reason``; a string denies with that text. One that raises denies too, with the code
    ``guard_error``; its exception is logged and never shown. Guards are pure: they see the row as the
    database holds it, and a guard that reads other rows must lock them itself.

    ``label`` says in a few words what is asked, for tables and diagrams; by default the function's name.
    """
    if callable(reason):
        raise TypeError('@guard needs the reason people read: @guard("The total must be positive.")')

    def mark(function: F) -> F:
        setattr(function, _MARK, (reason, label))
        return function

    return mark


def positional_arity(function: Callable[..., Any]) -> tuple[int, int]:
    """The least and the most positional arguments a function takes."""
    least = most = 0
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.VAR_POSITIONAL:
            most = 99
        elif parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            most += 1
            least += parameter.default is parameter.empty
        elif parameter.kind is parameter.KEYWORD_ONLY and parameter.default is parameter.empty:
            least = 99
    return least, most


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """A guard as the table holds it."""

    name: str
    """The function's name: what the fingerprint, a denial and the log call it."""
    reason: str
    """What a person reads when it denies."""
    label: str
    """What it asks, in a few words."""
    function: Callable[..., Any]
    takes_firing: bool
    """Whether it takes ``(record, firing)`` instead of ``(record)``."""
    fault: str = ""
    """Why it cannot be used, for the system check; empty when it can."""


def as_guard(declared: Any) -> Guard:
    """The ``Guard`` of a declared function. A faulty one is kept, so that the system check can name it."""
    if isinstance(declared, Guard):
        return declared
    name = getattr(declared, "__name__", "") or (declared if isinstance(declared, str) else repr(declared))
    reason, label = getattr(declared, _MARK, ("", ""))
    fault, takes_firing = _fault_of(declared, name)
    return Guard(
        name=name,
        reason=reason or f"Not allowed now: “{label or in_words(name)}” does not hold.",
        label=label or in_words(name),
        function=declared if callable(declared) else lambda record: False,
        takes_firing=takes_firing,
        fault=fault,
    )


def _fault_of(declared: Any, name: str) -> tuple[str, bool]:
    if not callable(declared):
        return f"guard {name!r} is not a function and names nothing that exists", False
    if inspect.iscoroutinefunction(declared):
        return (
            f"guard {name!r} is async; a guard runs inside the transaction and must be an ordinary function",
            False,
        )
    if name == "<lambda>":
        return "a guard is a lambda, which has no name for the log and the fingerprint", False
    try:
        least, most = positional_arity(declared)
    except (TypeError, ValueError):
        return "", False
    if least > 2 or most < 1:
        return f"guard {name!r} must take (record) or (record, firing)", False
    return "", most >= 2
