"""Who asks: the actor's rights on one record, and what separation of duties says of them.

Read before a decision is made, because ``judge()`` reads nothing itself. Must not know states or guards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from fsm_lifecycle.access import answers, policy
from fsm_lifecycle.access.actors import AgentActor, Approval
from fsm_lifecycle.access.codenames import codes_of, concrete
from fsm_lifecycle.access.rights import Delegator, Rights, refusal_of
from fsm_lifecycle.append_only import key_text
from fsm_lifecycle.definition import Event
from fsm_lifecycle.engine import separation
from fsm_lifecycle.engine.binding import Binding, Plan
from fsm_lifecycle.engine.decision import Denial


@dataclass(frozen=True, slots=True)
class Access:
    """What ``judge()`` is told of who asks."""

    binding: Binding
    rights: Rights
    fired: separation.Fired = separation.NOBODY
    approval: Approval | None = None
    """The approval under which an agent asks, where it is for this record."""
    approver: Access | None = None
    """Who gave it, asked about the same record."""

    def answer(self, plan: Plan) -> tuple[Denial | None, Delegator | None]:
        """The denial, or in whose name the event is fired: ``None`` for one's own."""
        denial, behind = self._own(plan)
        if denial is None and self.approver is not None:
            denial = self._seconded(plan, self.approver)
        return denial, behind

    def approved(self, plan: Plan, sequence: int) -> Denial | None:
        """The denial where an agent asks for what a person has to approve, and nobody has."""
        if plan.name not in self.rights.approval:
            return None
        given = self.approval
        if self.approver is not None and given is not None:
            if given.sequence == sequence:
                return None
            reason = "It has changed since a person was asked to approve. Ask again."
            return Denial("stale_state", reason, plan.name)
        reason = f"“{plan.event.label}” takes a person’s approval when an agent asks for it."
        return Denial("approval_required", reason, plan.name)

    def _seconded(self, plan: Plan, approver: Access) -> Denial | None:
        """The denial where the one who approved may not: the event takes both people's rights."""
        denial, _ = approver._own(plan)
        if denial is not None:
            return Denial(denial.code, f"The person who approved may not do it. {denial.reason}", plan.name)
        if self.rights.approval.get(plan.name) != "four_eyes":
            return None
        capacities = approver.rights.capacities(plan.name)
        asked = self.rights.person
        if approver.rights.person == asked or all(b is not None and b.id == asked for b in capacities):
            reason = f"“{plan.event.label}” takes another person: you cannot approve what was asked for you."
            return Denial("four_eyes", reason, plan.name)
        return None

    def _own(self, plan: Plan) -> tuple[Denial | None, Delegator | None]:
        capacities = self.rights.capacities(plan.name)
        if not capacities:
            reason = refusal_of(self.rights, codes_of(self.binding.model), plan.event)
            return Denial("access_denied", reason, plan.name), None
        if not self.fired or not plan.event.not_by or not self.rights.person:
            return None, capacities[0]
        barring = set(separation.names(plan.event))
        did = {person: event for event, person in sorted(self.fired) if event in barring}
        if self.rights.person in did:
            return self._four_eyes(plan, "you", did[self.rights.person]), None
        free = [behind for behind in capacities if behind is None or behind.id not in did]
        if free:
            return None, free[0]
        behind = capacities[0]
        assert behind is not None
        return self._four_eyes(plan, "the person for whom you act", did[behind.id]), None

    def _four_eyes(self, plan: Plan, who: str, event: str) -> Denial:
        done: Event | None = self.binding.table.events.get(event)
        return Denial(
            "four_eyes",
            f"“{plan.event.label}” takes another person: {who} did “{done.label if done else event}” on "
            f"{self.binding.describe_kind().lower()}.",
            plan.name,
        )


def asked(binding: Binding, record: Any, actor: Any, event: Event | None = None) -> Access:
    """Who asks about a record, from what this request or page knows. ``event``: the only one that matters."""
    rights = policy.rights(actor, binding.model, record, event.name if event else "")
    approval = actor.approval if isinstance(actor, AgentActor) else None
    if approval is not None and _is_for(approval, binding, binding.key_of(record), event):
        own = asked(binding, record, replace(actor, approval=None), event)
        return replace(own, approval=approval, approver=asked(binding, record, approval.by, event))
    needed = separation.separated(binding) if event is None else separation.names(event)
    if not needed or not rights.person or rights.refusal or binding.key_of(record) is None:
        return Access(binding, rights)
    return Access(binding, rights, _fired(binding, record, rights.person, event.name if event else ""))


def asked_now(
    binding: Binding, connection: BaseDatabaseWrapper, actor: Any, plan: Plan, keys: Sequence[Any]
) -> Mapping[Any, Access]:
    """Who asks about each of these records, from the database at this moment."""
    rights = policy.fresh_rights(actor, binding.model, keys, connection.alias)
    needed = separation.names(plan.event)
    fired: Mapping[str, separation.Fired] = {}
    if needed and any(r.person and not r.refusal for r in rights.values()):
        fired = separation.fired_by(binding, connection, [key_text(key) for key in keys], needed)
    found = {
        key: Access(binding, r, fired.get(key_text(key), separation.NOBODY)) for key, r in rights.items()
    }
    approval = actor.approval if isinstance(actor, AgentActor) else None
    for key, access in found.items():
        if approval is not None and _is_for(approval, binding, key, plan.event):
            theirs = asked_now(binding, connection, approval.by, plan, [key])[key]
            found[key] = replace(access, approval=approval, approver=theirs)
    return found


def _is_for(approval: Approval, binding: Binding, key: Any, event: Event | None) -> bool:
    """Whether an approval is for this event on the record with this key."""
    return (
        event is not None
        and approval.event == event.name
        and approval.model == concrete(binding.model)._meta.label_lower
        and key is not None
        and approval.object_pk == key_text(key)
    )


def _fired(binding: Binding, record: Any, person: str, question: str) -> separation.Fired:
    """Who fired what on a record; asked for the whole page of records it was loaded with."""
    connection = connections[record._state.db or "default"]
    key = binding.key_of(record)
    page: answers.Page | None = getattr(record._state, "lifecycle_page", None)
    together = [key] if page is None else page.around(key)
    events = separation.separated(binding)
    if page is None:
        found = separation.fired_by(binding, connection, [key_text(key)], events)
        return found.get(key_text(key), separation.NOBODY)
    # Each question is answered once, also in a request: the log may have grown. See ``answers.Page``.
    mine = ("fired", binding.label, key)
    held = page.once((*mine, person, question))
    if mine not in held:
        found = separation.fired_by(binding, connection, [key_text(k) for k in together], events)
        for other in together:
            held["fired", binding.label, other] = found.get(key_text(other), separation.NOBODY)
    fired: separation.Fired = held[mine]
    return fired
