"""Owns how a proposal comes to its end: its row, the answer to the tool call that waits, and the run that goes on.

Must not know why it ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from fsm_lifecycle import registry as tables
from fsm_lifecycle.access.visibility import visible
from fsm_lifecycle.agents.actor import user_of
from fsm_lifecycle.agents.answers import Answer, refusal
from fsm_lifecycle.agents.call import key_of
from fsm_lifecycle.agents.event import record as put_down
from fsm_lifecycle.agents.proposal import EXPIRED, PENDING, Proposal
from fsm_lifecycle.agents.resuming import resume
from fsm_lifecycle.transactions import writing


@dataclass(frozen=True, slots=True)
class Step:
    """One event on one record, as it is stored."""

    object_pk: str
    event: str
    arguments: dict[str, Any]
    sequence: int
    expected_state: str | None
    key: str
    """Its idempotency key."""


def steps_of(proposal: Proposal) -> list[Step]:
    """What a proposal would do, in order."""
    if not proposal.is_plan:
        key = key_of(proposal.run, proposal.call)
        return [
            Step(proposal.object_pk, proposal.event, proposal.arguments, proposal.sequence or 0, None, key)
        ]
    return [
        Step(
            one["object_pk"],
            one["event"],
            one["arguments"],
            one["sequence"],
            one["expected_state"],
            key_of(proposal.run, proposal.call, place),
        )
        for place, one in enumerate(proposal.steps)
    ]


def expire(proposal: Proposal) -> bool:
    """End a proposal whose time is over, and have the run told. False where somebody was faster."""
    using = proposal._state.db or "default"
    texts = ["Nobody has decided in time. Nothing was changed."]
    return end(proposal, using, EXPIRED, refusal("expired", texts, state_of(proposal)), reason=texts[0])


def expire_due(using: str) -> int:
    """End every proposal whose time is over; how many there were."""
    due = Proposal.objects.using(using).filter(status=PENDING, expires_at__lte=timezone.now())
    return sum(expire(proposal) for proposal in due.select_related("run").order_by("expires_at")[:200])


def end(
    proposal: Proposal, using: str, status: str, answer: Answer, *, reason: str = "", by: Any = None
) -> bool:
    """End a proposal that is pending: its row, the tool call's answer, and the run told. False: somebody was faster."""
    with writing(using, savepoint=True):
        if not take(proposal, using, status, reason=reason, by=by):
            return False
        resume(proposal.run)
        tell(proposal, using, {**answer, "proposal": proposal.pk})
    return True


def take(proposal: Proposal, using: str, status: str, *, reason: str = "", by: Any = None) -> bool:
    """Move a proposal out of ``pending``: of several at once, one does."""
    rows: QuerySet[Proposal] = QuerySet(Proposal, using=using).filter(pk=proposal.pk, status=PENDING)
    now = timezone.now()
    if status != EXPIRED:
        rows = rows.filter(expires_at__gt=now)
    changed = {"status": status, "reason": reason, "decided_at": now}
    if by is not None:
        changed.update(decided_by_id=by.pk, decided_by_key=str(by.pk))
    return bool(rows.update(**changed))


def tell(proposal: Proposal, using: str, answer: Answer) -> None:
    """Write down what the tool call comes to."""
    rows: QuerySet[Proposal] = QuerySet(Proposal, using=using)
    rows.filter(pk=proposal.pk).update(outcome=answer)
    status = rows.values_list("status", flat=True).get(pk=proposal.pk)
    put_down(proposal.run, "decision", {"proposal": proposal.pk, "status": status}, call=proposal.call)
    result = {"name": "", "success": answer["success"], "code": answer.get("code", ""), "result": answer}
    put_down(proposal.run, "tool_result", result, call=proposal.call)


# What it is about


def model_of(proposal: Proposal) -> Any:
    """The model it is about; ``None`` when there is no such lifecycle any more."""
    try:
        return tables.get(proposal.model_label)
    except LookupError:
        return None


def record_of(model: Any, object_pk: str, user: Any = None) -> Any:
    """A record by its key, if ``user`` may see it; ``None`` where there is none."""
    rows = model._base_manager.all() if user is None else visible(model._default_manager.all(), user)
    try:
        return rows.filter(pk=object_pk).first()
    except (ValueError, TypeError):
        return None


def state_of(proposal: Proposal) -> str | None:
    """The record's state, for the answer to the agent; ``None`` for a plan, or where its user may not see it."""
    model = model_of(proposal)
    if proposal.is_plan or model is None:
        return None
    record = record_of(model, proposal.object_pk, user_of(proposal.run))
    return None if record is None else getattr(record, model._lifecycle.state_name)
