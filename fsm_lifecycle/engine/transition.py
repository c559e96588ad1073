"""The entry of a transition, from a decision: the same for one record and for thousands.

Must not know how it is inserted.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from fsm_lifecycle.engine import snapshots, statements
from fsm_lifecycle.engine.binding import HEAD, SEQUENCE, Binding
from fsm_lifecycle.engine.decision import Decision
from fsm_lifecycle.engine.request import Request
from fsm_lifecycle.ledger import chain


def body_of(
    binding: Binding,
    connection: BaseDatabaseWrapper,
    request: Request,
    decision: Decision,
    row: Any,
    *,
    object_pk: str,
    now: datetime,
) -> tuple[str, str]:
    """The body with what only the locked row can tell: the branch taken and the snapshot.

    Raises ``Unrecordable`` for a field value that has no canonical form.
    """
    target = decision.target
    assert target is not None
    extra: dict[str, Any] = {}
    if decision.branch is not None:
        extra["branch"] = decision.branch
    reason = snapshots.reason_for(
        request.plan,
        connection,
        binding=binding,
        object_pk=object_pk,
        target=target,
        now=now,
        forced=request.snapshot,
    )
    if reason is not None:
        changed = snapshots.as_left(binding, row, state=target.value, now=now, stored=request.stored)
        if changed is None:
            before = (getattr(row, binding.state_name), getattr(row, SEQUENCE), getattr(row, HEAD))
            row, changed = (
                statements.tried(
                    binding,
                    connection,
                    request.plan,
                    key=binding.key_of(row),
                    before=before,
                    after=(target.value, now, before[1] + 1, before[2]),
                    arguments=request.cleaned,
                ),
                {},
            )
        extra["snapshot"] = snapshots.values_of(binding, row, changed)
        extra["snapshot_reason"] = reason
    return request.body(decision, extra)


def compose(
    binding: Binding,
    request: Request,
    decision: Decision,
    *,
    object_pk: str,
    before: tuple[str, int, str],
    now: datetime,
    body: tuple[str, str],
    cause: str | None,
) -> dict[str, Any]:
    """The log row of a transition. ``before`` is the record's state, sequence and head."""
    return chain.compose(
        model_label=binding.label,
        object_pk=object_pk,
        sequence=before[1] + 1,
        prev_hash=before[2],
        kind="transition",
        event=request.plan.name,
        from_state=before[0],
        to_state=str(decision.target),
        compensating=request.plan.event.compensating,
        actor_kind=request.identity.kind,
        actor_id=request.identity.id,
        recorded_at=now,
        occurred_at=request.occurred_at,
        cause=cause,
        definition=binding.fingerprint,
        body=body[0],
        body_hash=body[1],
        idempotency_key=request.idempotency_key,
        idempotency_digest=request.digest,
    )
