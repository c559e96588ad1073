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


def refuse_awaitable(answer: Any, kind: str, name: str) -> None:
    """Raise ``TypeError`` for what async code hands back: nobody has run it, and as an answer it would be a yes."""
    if inspect.isawaitable(answer):
        if inspect.iscoroutine(answer):
            answer.close()
        raise TypeError(
            f"The {kind} {name} is async, and nothing waits for it. Write it with def, not async def."
        )


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
    remedy: str = ""
    """How to mend the fault."""


def as_guard(declared: Any) -> Guard:
    """The ``Guard`` of a declared function. A faulty one is kept, so that the system check can name it."""
    if isinstance(declared, Guard):
        return declared
    name = name_of(declared)
    reason, label = getattr(declared, _MARK, ("", ""))
    fault, remedy = fault_of(declared, "guard", least=1, most=2, signature="record) or (record, firing")
    return Guard(
        name=name,
        reason=reason or f"Not allowed now: “{label or in_words(name)}” does not hold.",
        label=label or in_words(name),
        function=declared if callable(declared) else lambda record: False,
        takes_firing=not fault and takes_at_least(declared, 2),
        fault=fault,
        remedy=remedy,
    )


def name_of(declared: Any) -> str:
    """The name of a declared guard or effect; never one that differs from process to process."""
    name = getattr(declared, "__name__", "") or (declared if isinstance(declared, str) else "")
    return str(name) or type(declared).__name__


def takes_at_least(function: Callable[..., Any], count: int) -> bool:
    """Whether a function takes so many positional arguments; ``False`` where that cannot be told."""
    try:
        return positional_arity(function)[1] >= count
    except (TypeError, ValueError):
        return False


def fault_of(declared: Any, kind: str, *, least: int, most: int, signature: str) -> tuple[str, str]:
    """Why a declared guard or effect cannot be used, and how to mend it; empty texts when it can."""
    name = name_of(declared)
    if not callable(declared):
        return f"{declared!r} is not a function", f"Pass the {kind} function itself, not its name."
    if inspect.iscoroutinefunction(declared):
        return (
            f"{kind} “{name}” is async, and the transaction it runs in is not",
            "Write it with def, not async def.",
        )
    if not hasattr(declared, "__name__"):
        what = type(declared).__name__
        return (
            f"a {kind} is a {what}, which has no name for the log and the fingerprint",
            "Wrap it in a function: def ...",
        )
    if name == "<lambda>":
        return (
            f"a {kind} is a lambda, which has no name for the log and the fingerprint",
            "Give it a name: def ...",
        )
    try:
        fewest, highest = positional_arity(declared)
    except (TypeError, ValueError):
        return "", ""
    if fewest > most or highest < least:
        return f"{kind} “{name}” must take ({signature})", f"Write def {name}({signature})."
    return "", ""
