"""A decision: allowed, or every reason why not. Must not know how it was reached."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final

from fsm_lifecycle.access.rights import Delegator
from fsm_lifecycle.definition import Event, State

#: The codes of denials, in the order in which they are judged. ``fire()`` raises the first.
CODES: Final = (
    "unknown_event",
    "access_denied",
    "four_eyes",
    "approval_required",
    "stale_state",
    "terminal_state",
    "wrong_state",
    "invalid_arguments",
    "guard_failed",
    "guard_error",
)
_ORDER: Final = {code: place for place, code in enumerate(CODES)}


@dataclass(frozen=True, slots=True)
class Denial:
    """One reason why not."""

    code: str
    reason: str
    """A sentence a person can read."""
    name: str = ""
    """What denied: the guard's name, the argument's name, or the event's."""

    @property
    def order(self) -> int:
        """Its place in the order in which codes are judged."""
        return _ORDER.get(self.code, len(_ORDER))


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Whether an event may be fired, and if not, every reason. True when allowed."""

    allowed: bool
    event: Event | None
    """``None`` when the lifecycle has no such event."""
    source: State | str
    """The record's state."""
    target: State | None
    """Where it leads; ``None`` when a branch cannot be told yet."""
    denials: tuple[Denial, ...] = ()
    passed_guards: tuple[str, ...] = ()
    failed_guards: tuple[str, ...] = ()
    pending_guards: tuple[str, ...] = ()
    """Guards that need the arguments, which were not given."""
    valid_sources: tuple[State, ...] = ()
    """The states from which the event can be fired."""
    on_behalf_of: Delegator | None = None
    """The user in whose name the event would be fired, where only a delegation allows it."""
    branch: str | None = None
    """The guard whose branch is taken, ``"otherwise"``, or ``None`` where there is no choice."""

    def __bool__(self) -> bool:
        return self.allowed

    def __reduce__(self) -> tuple[Any, ...]:
        return _thawed, ({field.name: getattr(self, field.name) for field in fields(self)},)

    def to_dict(self) -> dict[str, Any]:
        """The decision as plain JSON values."""
        return {
            "allowed": self.allowed,
            "event": self.event.name if self.event else None,
            "source": str(self.source),
            "target": None if self.target is None else str(self.target),
            "denials": [{"code": d.code, "reason": d.reason, "name": d.name} for d in self.denials],
            "pending_guards": list(self.pending_guards),
        }


def _thawed(values: dict[str, Any]) -> Decision:
    """A decision from a pickle, in which a state is no more than its value."""
    event: Event | None = values["event"]
    states = {} if event is None or event.table is None else event.table.states
    source, target = values["source"], values["target"]
    values["source"], values["target"] = states.get(source, source), states.get(target, target)
    values["valid_sources"] = tuple(states.get(state, state) for state in values["valid_sources"])
    return Decision(**values)
