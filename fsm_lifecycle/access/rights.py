"""Rights: what one actor may do to one record, or to every record of a model, and why not.

Computed from the table and from what is held; a value, without access to the database. Must not know where
grants are stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from fsm_lifecycle.access.actors import Mandate
from fsm_lifecycle.access.codenames import Codes
from fsm_lifecycle.access.holdings import Held, Standing
from fsm_lifecycle.definition import CRUD, Event


@dataclass(frozen=True, slots=True)
class Delegator:
    """The user for whom somebody acts."""

    id: str
    label: str


@dataclass(frozen=True, slots=True)
class Share:
    """What is held in one capacity: one's own, or that of a delegator."""

    behind: Delegator | None
    events: frozenset[str]
    crud: CRUD
    roles: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """What an actor may do."""

    person: str = ""
    """The key of the user who acts, also behind an agent; empty for a program."""
    refusal: str = ""
    """Why the actor may do nothing at all; empty where roles decide."""
    everything: bool = False
    shares: tuple[Share, ...] = ()
    only: frozenset[str] | None = None
    """The events to which an agent is narrowed."""
    agent: str = ""
    approval: Mapping[str, str] = field(default_factory=dict)
    """The events for which the agent needs a person's yes: ``always`` or ``four_eyes``."""

    @property
    def roles(self) -> frozenset[str]:
        """The roles that are held, one's own and delegated."""
        return frozenset().union(*(share.roles for share in self.shares))

    @property
    def crud(self) -> CRUD:
        """What may be done beside firing events."""
        if self.refusal:
            return CRUD(0)
        if self.everything:
            return CRUD.ALL
        flags = CRUD(0)
        for share in self.shares:
            flags |= share.crud
        return flags

    def capacities(self, event: str) -> list[Delegator | None]:
        """In whose name the event may be fired: ``None`` for one's own, then delegators. Empty: it may not."""
        if self.refusal or (self.only is not None and event not in self.only):
            return []
        if self.everything:
            return [None]
        return [share.behind for share in self.shares if event in share.events]

    def allows(self, what: str | CRUD) -> bool:
        """Whether an event, or all of these CRUD flags, are allowed."""
        if isinstance(what, CRUD):
            return bool(what) and what in self.crud
        return bool(self.capacities(what))

    def holds(self, codename: str, codes: Codes) -> bool:
        """Whether a permission is held, given by a role or by itself."""
        means = codes.meanings[codename]
        if means.role:
            return not self.refusal and (self.everything or means.role in self.roles)
        if means.crud:
            return self.allows(means.crud)
        return all(self.allows(event) for event in means.events)

    def narrowed(self, agent: str, mandate: Mandate) -> Rights:
        """The same rights for an agent that may ask for only some events, and do even fewer by itself."""
        return replace(self, agent=agent, only=mandate.events, approval=mandate.approval)


def rights_of(codes: Codes, person: str, standing: Standing, held: Iterable[Held], now: datetime) -> Rights:
    """The rights of an active user who is no superuser, from what is held on one record."""
    counts = [h for h in held if h.until is None or h.until > now]
    shares = [_share(codes, None, [h.codename for h in counts if h.user == person])]
    for acting in standing.acting:
        if acting.until <= now or acting.id == person:
            continue
        roles = [
            h.codename
            for h in counts
            if h.user == acting.id
            and h.codename in codes.meanings
            and codes.meanings[h.codename].role
            and acting.role in ("", codes.meanings[h.codename].role)
        ]
        shares.append(_share(codes, Delegator(acting.id, acting.label), roles))
    return Rights(person=person, shares=tuple(s for s in shares if s.roles or s.events or s.crud))


def _share(codes: Codes, behind: Delegator | None, codenames: Iterable[str]) -> Share:
    events: set[str] = set()
    roles: set[str] = set()
    crud = CRUD(0)
    for codename in codenames:
        means = codes.meanings.get(codename)
        if means is not None:
            events |= means.events
            crud |= means.crud
            if means.role:
                roles.add(means.role)
    return Share(behind, frozenset(events), crud, frozenset(roles))


def refusal_of(rights: Rights, codes: Codes, event: Event) -> str:
    """Why an event is not allowed, for the actor to read."""
    if rights.refusal:
        return rights.refusal
    kind = codes.model._meta.verbose_name
    if rights.only is not None and event.name not in rights.only:
        return f"The agent “{rights.agent}” may not fire “{event.label}”."
    able = [str(role.label) for role in codes.roles_with(event.name)]
    if not able:
        return f"No role may do this to a {kind}."
    return f"Needs the role {_one_of(able)} on this {kind}. {_your_roles(rights, codes)}"


def refusal_of_crud(rights: Rights, codes: Codes, flags: CRUD) -> str:
    """Why a CRUD right is missing, for the actor to read."""
    if rights.refusal:
        return rights.refusal
    kind = codes.model._meta.verbose_name
    able = [str(r.label) for r in codes.table.roles.values() if flags in r.crud]
    if not able:
        return f"No role may do this to a {kind}."
    return f"Needs the role {_one_of(able)} on this {kind}. {_your_roles(rights, codes)}"


def _your_roles(rights: Rights, codes: Codes) -> str:
    labels = [str(role.label) for role in codes.table.roles.values() if role.value in rights.roles]
    if not labels:
        return "You have no role here."
    return f"Your role is {labels[0]}." if len(labels) == 1 else f"Your roles are {_listed(labels, 'and')}."


def _one_of(labels: list[str]) -> str:
    return _listed(labels, "or")


def _listed(labels: list[str], word: str) -> str:
    return labels[0] if len(labels) == 1 else f"{', '.join(labels[:-1])} {word} {labels[-1]}"
