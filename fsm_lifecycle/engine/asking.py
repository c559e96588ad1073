"""Who asks: the actor's rights on one record, and what separation of duties says of them.

Read before a decision is made, because ``judge()`` reads nothing itself. Must not know states or guards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from fsm_lifecycle.access import answers, policy
from fsm_lifecycle.access.codenames import codes_of
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

    def answer(self, plan: Plan) -> tuple[Denial | None, Delegator | None]:
        """The denial, or in whose name the event is fired: ``None`` for one's own."""
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
    return {key: Access(binding, r, fired.get(key_text(key), separation.NOBODY)) for key, r in rights.items()}


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
