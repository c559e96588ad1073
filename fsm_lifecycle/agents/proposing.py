"""Owns how an agent's call becomes a proposal, and what the agent is told while it waits.

Must not know who decides, nor how.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from fsm_lifecycle.agents.answers import Answer, refusal
from fsm_lifecycle.agents.call import Call
from fsm_lifecycle.agents.event import record as put_down
from fsm_lifecycle.agents.profile import Scope
from fsm_lifecycle.agents.proposal import LASTS, Proposal
from fsm_lifecycle.agents.run import QUEUED, WAITING, AgentRun
from fsm_lifecycle.append_only import key_text
from fsm_lifecycle.definition import Event
from fsm_lifecycle.engine.binding import SEQUENCE


class Waits(Exception):
    """Leaves a tool: what it asked for waits for a person. The transaction is kept."""

    def __init__(self, proposal: Proposal, state: str | None = None) -> None:
        super().__init__(str(proposal))
        self.proposal = proposal
        self.state = state


def propose(call: Call, scope: Scope, record: Any, event: Event, arguments: Mapping[str, Any]) -> Proposal:
    """Propose one event on one record."""
    return _made(
        call,
        scope,
        mode=scope.approval[event.name],
        object_pk=key_text(scope.binding.key_of(record)),
        event=event.name,
        arguments=dict(arguments),
        sequence=getattr(record, SEQUENCE),
    )


def propose_plan(call: Call, scope: Scope, steps: Sequence[Mapping[str, Any]], mode: str) -> Proposal:
    """Propose a list of events, to be decided as one."""
    return _made(call, scope, mode=mode, steps=[dict(step) for step in steps])


def _made(call: Call, scope: Scope, *, mode: str, **what: Any) -> Proposal:
    now = timezone.now()
    _wait(call)  # first, because it locks the run: the foreign key would lock it only in part
    proposal = Proposal(
        run=call.run,
        call=call.id,
        model_label=scope.model._meta.label_lower,
        fingerprint=scope.binding.fingerprint,
        mode=mode,
        created_at=now,
        expires_at=now + LASTS,
        **what,
    )
    proposal.save(using=call.using, force_insert=True)
    # As the database keeps it: PostgreSQL's JSON knows no 1e16, which it makes a whole number.
    proposal.refresh_from_db(fields=["arguments", "steps"])
    proposal.digest = digest_of(proposal)
    proposal.save(using=call.using, update_fields=["digest"])
    told = {"proposal": proposal.pk, "lifecycle": scope.label, "mode": mode}
    put_down(call.run, "proposal", told, call=call.id)
    return proposal


def _wait(call: Call) -> None:
    """A run that nobody works on waits from now on; one that is worked on does when its worker says so."""
    rows: QuerySet[AgentRun] = QuerySet(AgentRun, using=call.using).filter(pk=call.run.pk, status=QUEUED)
    rows.update(status=WAITING, stop_reason="approval")


def digest_of(proposal: Proposal) -> str:
    """SHA-256 of everything that is carried out when the proposal is approved."""
    told = [
        proposal.model_label,
        proposal.object_pk,
        proposal.event,
        proposal.arguments,
        proposal.sequence,
        proposal.steps,
        proposal.mode,
        proposal.fingerprint,
    ]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def waiting(proposal: Proposal, current_state: str | None = None) -> Answer:
    """What the agent is told while nobody has decided."""
    who = "somebody else than the user" if proposal.mode == "four_eyes" else "a person"
    return refusal(
        "approval_required",
        [f"Nothing was changed. It waits until {who} approves or declines it."],
        current_state,
        proposal=proposal.pk,
        expires_at=proposal.expires_at.isoformat(),
    )
