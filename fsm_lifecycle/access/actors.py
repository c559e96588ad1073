"""Actors: who fires. A user, an agent acting for one, or ``System("reason")``. Never ``None``.

Must not know what an actor may do.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from fsm_lifecycle.exceptions import ActorRequired

ActorKind = Literal["user", "agent", "system", "unknown"]


@dataclass(frozen=True, slots=True)
class System:
    """A program that acts on its own: ``System("nightly-job")``.

    Passes roles, never the table or the guards. The reason is in the log, so it must say what the program
    is for, in at most 200 characters, and hold no personal data.
    """

    reason: str

    def __post_init__(self) -> None:
        if not isinstance(self.reason, str) or not self.reason.strip() or len(self.reason) > 200:
            raise ActorRequired(
                'System(...) needs a reason of 1 to 200 characters for the log, for example System("nightly-job").'
            )

    def __str__(self) -> str:
        return self.reason


@dataclass(frozen=True, slots=True)
class AgentActor:
    """An agent acting for a user: its rights are the user's, narrowed to its own list of events, and no more."""

    name: str
    user: Any
    events: frozenset[str] | None = None
    """The names of the events it may fire; ``None`` for all that the user may."""

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Identity:
    """An actor as the log names it."""

    kind: ActorKind
    id: str
    """The user's key, the system's reason, or empty."""
    label: str
    """What people call the actor. Personal data: it goes into the entry's body and nowhere else."""
    superuser: bool = False
    agent: str = ""
    """The agent's name, where one acts for the user."""

    @property
    def body(self) -> dict[str, Any]:
        """What the entry's body keeps of the actor."""
        kept: dict[str, Any] = {"label": self.label}
        if self.superuser:
            kept["superuser"] = True
        if self.agent:
            kept["agent"] = self.agent
        return kept


UNKNOWN = Identity("unknown", "", "")


def is_user(actor: Any) -> bool:
    """Whether ``actor`` is a Django user, also an anonymous or lazily loaded one."""
    return hasattr(actor, "is_authenticated") and hasattr(actor, "is_active") and not isinstance(actor, type)


def identify(actor: Any) -> Identity:
    """How the log names an actor. Raises ``ActorRequired`` for what is none."""
    if isinstance(actor, System):
        return Identity("system", actor.reason, actor.reason)
    if isinstance(actor, AgentActor):
        user = identify(actor.user)
        return replace(user, kind="agent", agent=actor.name) if user.kind == "user" else user
    if not is_user(actor):
        raise ActorRequired(
            f'{actor!r} is not an actor. Pass a user or System("reason"), for example actor=request.user.'
        )
    if actor.pk is None:
        if not actor.is_authenticated:
            return UNKNOWN
        raise ActorRequired(f"The user {actor} has not been saved, so the log cannot name it. Save it first.")
    return Identity("user", str(actor.pk), str(actor), bool(getattr(actor, "is_superuser", False)))
