"""Actors: who fires. A user, an agent acting for one, or ``System("reason")``. Never ``None``.

Must not know what an actor may do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

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
class Mandate:
    """What an agent may ask of the records of one model."""

    events: frozenset[str] | None = None
    """The names of the events it may fire; ``None`` for all that the user may."""
    approval: Mapping[str, str] = field(default_factory=dict, hash=False)
    """The events for which a person has to say yes, each with ``always`` or ``four_eyes``."""


#: The mandate for a model that is none of the agent's.
NO_MANDATE: Final = Mandate(frozenset())


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A person's yes to one event on one record as it was then. It holds once: firing moves the record on."""

    proposal: str
    """The key of the proposal that was approved."""
    by: Any
    """The user who said yes."""
    model: str
    """``billing.invoice``: the record's own model."""
    object_pk: str
    event: str
    sequence: int
    """The record's newest entry when the agent asked."""

    @property
    def body(self) -> dict[str, Any]:
        """What the entry's body keeps of it."""
        return {"proposal": self.proposal, "id": str(self.by.pk), "label": str(self.by)}


@dataclass(frozen=True, slots=True)
class AgentActor:
    """An agent acting for a user: its rights are the user's, narrowed to what it may ask for, and no more."""

    name: str
    user: Any
    events: frozenset[str] | None = None
    """The names of the events it may fire; ``None`` for all that the user may."""
    mandates: Mapping[str, Mandate] | None = field(default=None, hash=False)
    """By model (``billing.invoice``): what it may ask for there; nothing on others. ``None``: ``events`` says it."""
    run: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """What the entry's body says of the run: its key, the language model, the tool call."""
    approval: Approval | None = field(default=None, hash=False)
    """The approval under which it fires now."""

    def mandate(self, model: str) -> Mandate:
        """What it may ask of the records of a model."""
        if self.mandates is None:
            return Mandate(self.events)
        return self.mandates.get(model, NO_MANDATE)

    def in_consequence(self) -> AgentActor:
        """The same agent where the table itself goes on, by ``fires``: its user's rights, and no list of its own."""
        return AgentActor(self.name, self.user, run=self.run)

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
    run: Mapping[str, Any] | None = field(default=None, hash=False)
    """The agent's run, where it has one."""
    approval: Approval | None = field(default=None, hash=False)
    """The approval under which the agent acts."""

    @property
    def parts(self) -> dict[str, Any]:
        """The fields of an entry's body that tell of the actor; none where it is unknown."""
        if self.kind == "unknown":
            return {}
        parts: dict[str, Any] = {"actor": self.body}
        if self.run:
            parts["run"] = dict(self.run)
        if self.approval is not None:
            parts["approval"] = self.approval.body
        return parts

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
        if user.kind != "user":
            return user
        return replace(user, kind="agent", agent=actor.name, run=actor.run, approval=actor.approval)
    if not is_user(actor):
        raise ActorRequired(
            f'{actor!r} is not an actor. Pass a user or System("reason"), for example actor=request.user.'
        )
    if actor.pk is None:
        if not actor.is_authenticated:
            return UNKNOWN
        raise ActorRequired(f"The user {actor} has not been saved, so the log cannot name it. Save it first.")
    return Identity("user", str(actor.pk), str(actor), bool(getattr(actor, "is_superuser", False)))
