"""Owns the kinds of durable work there are. Must not know what any of them does."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from fsm_lifecycle.dispatch.work import Work

#: Pauses before the second try, the third and so on; after the last one fails the work is dead.
DELAYS: Final = tuple(timedelta(seconds=seconds) for seconds in (5, 60, 300, 1800, 7200, 18_000, 36_000))


class GiveUp(Exception):
    """Raised by work that no further try can help: it is dead at once. ``result`` says why, for people."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class GoOn(Exception):
    """Raised by long work that got on and is not through: it is queued again at once, behind what waits, all tries new.

    So that it holds up no other work, and outlives any limit on the time of one task.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of work."""

    name: str
    label: str
    """What people call it."""
    run: Callable[[Work], Any]
    """Does it. What it returns, if anything, is kept as the result: JSON."""
    delays: tuple[timedelta, ...] = DELAYS
    """Pauses between the tries: one more try than there are pauses."""
    on_dead: Callable[[Work], Any] | None = None
    """Told when the work is given up."""

    def pause(self, tries: int) -> timedelta | None:
        """How long to wait after the n-th try failed, a fifth more or less; ``None`` when that was the last."""
        if tries > len(self.delays):
            return None
        return self.delays[tries - 1] * random.uniform(0.8, 1.2)  # noqa: S311 - spreads tries, no secret


_kinds: dict[str, Kind] = {}


def register(kind: Kind) -> Kind:
    """Make a kind known. The same name again replaces what it stood for."""
    _kinds[kind.name] = kind
    return kind


def get(name: str) -> Kind | None:
    """The kind of that name; ``None`` when nothing here does such work."""
    return _kinds.get(name)


def all_kinds() -> tuple[Kind, ...]:
    """Every kind, by name."""
    return tuple(_kinds[name] for name in sorted(_kinds))
