"""Causes: which firing led to which, and when a chain of them is a loop.

Must not know what is fired.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from fsm_lifecycle import conf
from fsm_lifecycle.exceptions import CauseLoop


@dataclass(frozen=True, slots=True)
class Link:
    """One firing in a chain of causes."""

    entry_hash: str
    model_label: str
    object_pk: str
    event: str

    def __str__(self) -> str:
        return f"{self.model_label}:{self.object_pk} {self.event}"


_chain: ContextVar[tuple[Link, ...]] = ContextVar("fsm_lifecycle_causes", default=())


def current_cause(model_label: str, object_pk: str, event: str) -> str | None:
    """The hash of the entry that causes a firing begun now, or ``None``.

    Raises ``CauseLoop`` when the chain has reached ``MAX_CAUSE_DEPTH``, or when the same event on the same
    record is part of it already.
    """
    chain = _chain.get()
    if not chain:
        return None
    shown = " → ".join([*map(str, chain), f"{model_label}:{object_pk} {event}"])
    if any(
        (link.model_label, link.object_pk, link.event) == (model_label, object_pk, event) for link in chain
    ):
        raise CauseLoop(
            f"“{event}” would fire itself again: {shown}. Remove the effect that closes the circle, or give it "
            f"an event of its own."
        )
    limit = conf.max_cause_depth()
    if len(chain) > limit:
        raise CauseLoop(
            f"{len(chain)} events have caused each other, and FSM_LIFECYCLE['MAX_CAUSE_DEPTH'] allows {limit}: "
            f"{shown}. Raise the limit if the chain is meant to be this long."
        )
    return chain[-1].entry_hash


@contextmanager
def chain_of(links: tuple[Link, ...]) -> Iterator[None]:
    """Continue a chain later, where the context is no longer that of its firing (after commit)."""
    token = _chain.set(links)
    try:
        yield
    finally:
        _chain.reset(token)


def current_chain() -> tuple[Link, ...]:
    """The chain as it stands."""
    return _chain.get()
