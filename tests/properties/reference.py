"""Owns the reference: what firing means, in as few lines as it can be said. Nothing of the engine is used."""

from __future__ import annotations

from dataclasses import dataclass, field

from fsm_lifecycle import Branch, Event
from tests.properties.tables import Members


@dataclass
class Reference:
    """One record, and what each copy of it in memory believes."""

    members: Members
    state: str = "s0"
    flag: bool = True
    size: int = 0
    fired: list[tuple[str, str, str]] = field(default_factory=list)
    seen: list[int] = field(default_factory=lambda: [0, 0])

    def fire(self, name: str, copy: int | None) -> str | None:
        """Fire through a copy, or through a queryset (`None`); the code of the refusal, or `None`."""
        event = self.members.get(name)
        if not isinstance(event, Event):
            return "unknown_event"
        if copy is not None and self.seen[copy] != len(self.fired):
            return "stale_state"
        terminal = self.members[self.state].terminal
        if not (
            self.state in event.sources
            or (not terminal and any(s not in self.members for s in event.sources))
        ):
            return "terminal_state" if terminal else "wrong_state"
        if not all(self.holds(asked.name) for asked in event.guards):
            return "guard_failed"
        self.fired.append((name, self.state, self.target(event)))
        self.state = self.fired[-1][2]
        if copy is not None:
            self.seen[copy] = len(self.fired)
        return None

    def target(self, event: Event) -> str:
        to = event.to
        if not isinstance(to, Branch):
            return to
        return next((state for case, state in to.cases if self.holds(case.name)), to.otherwise)

    def holds(self, name: str) -> bool:
        return {"is_flagged": self.flag, "is_big": self.size > 3, "is_even": self.size % 2 == 0}[name]
