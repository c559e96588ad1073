"""Owns one tool call: who calls, for whom, which records it may see, and what makes it the same call again.

Must not know what any tool does.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from fsm_lifecycle.access.actors import AgentActor
from fsm_lifecycle.access.record_keys import readable
from fsm_lifecycle.access.visibility import visible
from fsm_lifecycle.agents.actor import Agent, as_if_approved
from fsm_lifecycle.agents.answers import NOT_FOUND, Refused, refusal, said
from fsm_lifecycle.agents.profile import Profile, Scope
from fsm_lifecycle.agents.run import AgentRun
from fsm_lifecycle.agents.seen import ANY
from fsm_lifecycle.append_only import key_text
from fsm_lifecycle.engine.decision import Decision, Denial
from fsm_lifecycle.engine.refusals import refuse
from fsm_lifecycle.engine.schema_check import mismatches, unknown

#: So long may a call's name be in its rows; a longer one is named by its hash.
_LONGEST: Final = 100


@dataclass(frozen=True)
class Call:
    """One tool call of a run."""

    run: AgentRun
    profile: Profile
    user: Any
    """The run's user, read from the database for this call."""
    name: str
    arguments: Mapping[str, Any]
    id: str
    """As ``name_of`` makes it."""
    seen: set[tuple[str, str]] = field(default_factory=set)
    """The records that the answer tells something of; written down with it, also where it is a refusal."""

    @property
    def using(self) -> str:
        """The database where the run is."""
        return self.run._state.db or "default"

    @cached_property
    def actor(self) -> AgentActor:
        """Who fires."""
        return Agent(self.run, call=self.id, user=self.user)

    @cached_property
    def as_if(self) -> AgentActor:
        """Who would fire if a person approved: for asking alone."""
        return as_if_approved(self.run, call=self.id, user=self.user)

    def key(self, step: int | None = None) -> str:
        """The idempotency key of what it fires."""
        return key_of(self.run, self.id, step)

    # Checking

    def check(self, schema: Mapping[str, Any]) -> None:
        """Raise ``Refused`` where the arguments are not those of a schema."""
        denials = wrong(schema, dict(self.arguments))
        if denials:
            raise Refused(refusal(denials[0].code, map(said, denials)))

    # Records

    def records(self, scope: Scope) -> Any:
        """The records of a lifecycle that the user may see."""
        return visible(scope.model._default_manager.all(), self.user)

    def record(self, scope: Scope, id_: Any) -> Any:
        """The record that an id names, if the user may see it. Missing and forbidden look the same (``Refused``)."""
        found = self.find(scope, id_)
        if found is None:
            raise Refused(refusal("not_found", [NOT_FOUND]))
        self.see(scope, [found])
        return found

    def find(self, scope: Scope, id_: Any) -> Any:
        """The record that an id names, or ``None``."""
        return _first(self.records(scope), id_)

    def hidden(self, scope: Scope, id_: Any) -> Any:
        """The record that an id names although the user may not see it: for the list of refusals alone."""
        return _first(scope.model._base_manager.all(), id_)

    def see(self, scope: Scope, records: list[Any]) -> None:
        """The answer will tell something of these records."""
        label = scope.binding.label
        self.seen.update((label, key_text(scope.binding.key_of(record))) for record in records)

    def see_any(self) -> None:
        """The answer may tell something of any record of the agent's lifecycles."""
        self.seen.update((scope.binding.label, ANY) for scope in self.profile.scopes)

    def put_on_record(self, scope: Scope, record: Any, decision: Decision) -> None:
        """Keep a refusal that the engine was not asked about."""
        refuse(record, self.actor, decision, record._state.db or self.using)

    def state_of(self, scope: Scope, record: Any) -> str | None:
        """The record's state as the database has it now; ``None`` when it is gone."""
        rows = scope.model._base_manager.using(record._state.db).filter(pk=record.pk)
        state: str | None = rows.values_list(scope.binding.state_name, flat=True).first()
        return state


def _first(records: Any, id_: Any) -> Any:
    keys = readable(records, [str(id_)])
    return records.filter(pk=keys[0]).first() if keys else None


def wrong(schema: Mapping[str, Any], given: Any, name: str = "") -> list[Denial]:
    """What is wrong with arguments: names that are not there first, then types."""
    strange = [Denial("unknown_argument", text, place) for place, text in unknown(schema, given, name)]
    return strange or [
        Denial("invalid_arguments", text, place) for place, text in mismatches(schema, given, name)
    ]


def with_text_ids(arguments: dict[str, Any]) -> dict[str, Any]:
    """Arguments of a tool of the table with every record's id as a text. Who has a number may give the number."""

    def textual(given: Any) -> Any:
        id_ = given.get("id") if isinstance(given, dict) else None
        return {**given, "id": str(id_)} if isinstance(id_, int) and not isinstance(id_, bool) else given

    steps = arguments.get("steps")
    found: dict[str, Any] = textual(arguments)
    return {**found, "steps": [textual(step) for step in steps]} if isinstance(steps, list) else found


def name_of(call_id: Any) -> str:
    """A call's id as its rows have it: the model's own, or a hash of one that is long or strange."""
    text = str(call_id)
    if 0 < len(text) <= _LONGEST and text.isascii() and text.isprintable():
        return text
    return f"sha256-{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"


def key_of(run: AgentRun, call: str, step: int | None = None) -> str:
    """The idempotency key of a call. It names nobody."""
    told = f"{run.conversation}|{run.pk}|{call}"
    key = f"agent-{run.pk}-{hashlib.sha256(told.encode()).hexdigest()[:40]}"
    return key if step is None else f"{key}-{step}"


def digest_of(name: str, arguments: Any) -> str:
    """What makes a call the same one: its tool and its arguments."""
    told = json.dumps([name, arguments], sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(told.encode()).hexdigest()
