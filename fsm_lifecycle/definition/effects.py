"""An effect: code that a firing runs, inside its transaction or after the outermost commit.

Must not know how it is run.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, TypeVar

from fsm_lifecycle.definition.guards import fault_of, name_of, refuse_awaitable
from fsm_lifecycle.definition.member import Text, in_words

F = TypeVar("F", bound=Callable[..., Any])
OnFailure = Literal["rollback", "log", "retry"]
_MARK: Final = "_lifecycle_effect"


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """What a ``fires(...)`` effect does to another record, for diagrams and exports."""

    event: str
    model: str
    """``"app.Model"``, or empty when it was not said."""
    on_failure: OnFailure


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """An effect as the table holds it."""

    name: str
    label: str
    """What it will do, as a person reads it before it happens."""
    function: Callable[..., Any]
    after_commit: bool = False
    retry: bool = False
    """Durable work: tried again until it succeeds or is given up. Only after commit."""
    outside: bool = False
    """It reaches outside the system and cannot be called back."""
    describe: Callable[[Any], str] | None = None
    """The same as ``label`` for one record, when it can be said more exactly."""
    connection: Connection | None = None
    fault: str = ""
    """Why it cannot be used, for the system check; empty when it can."""
    remedy: str = ""
    """How to mend the fault."""

    def __call__(self, record: Any, firing: Any) -> None:
        answer = self.function(record, firing)
        if answer is not None:
            refuse_awaitable(answer, "effect", self.name)


def effect(
    label: Text, *, describe: Callable[[Any], str] | None = None, outside: bool = False
) -> Callable[[F], F]:
    """Say what a function does before it does it: ``@effect("Sends one e-mail to the client")``.

    ``describe`` makes the sentence for one record. ``outside=True`` says that it reaches outside the system
    and cannot be called back. Without this decorator the first line of the docstring is used, else the
    function's name in words.
    """
    if callable(label):
        raise TypeError('@effect needs what people read: @effect("Sends one e-mail to the client")')

    def mark(function: F) -> F:
        setattr(function, _MARK, (label, describe, outside))
        return function

    return mark


def on_commit(declared: Any, *, retry: bool = False, outside: bool = False) -> Effect:
    """Run an effect after the outermost transaction has committed.

    Each such effect stands alone: one that fails is logged, the caller sees no exception, the others run and
    the new state stands. ``retry=True`` makes it durable work. ``outside=True``: see ``effect``.
    """
    base = as_effect(declared)
    return replace(base, after_commit=True, retry=retry or base.retry, outside=outside or base.outside)


def as_effect(declared: Any) -> Effect:
    """The ``Effect`` of a declared function. A faulty one is kept, so that the system check can name it."""
    if isinstance(declared, Effect):
        return declared
    name = name_of(declared)
    docstring = (inspect.getdoc(declared) or "").strip() if callable(declared) else ""
    label, describe, outside = getattr(declared, _MARK, ("", None, False))
    fault, remedy = fault_of(declared, "effect", least=2, most=2, signature="record, firing")
    return Effect(
        name=name,
        label=label or docstring.split("\n")[0] or in_words(name),
        function=declared if callable(declared) else lambda record, firing: None,
        outside=outside,
        describe=describe,
        fault=fault,
        remedy=remedy,
    )
