"""Owns what happened in a run, step by step: one row each, which a reload, a second tab and an audit read alike.

Must not know who reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from django.db import IntegrityError, models, transaction
from django.db.models import Max
from django.utils import timezone

from fsm_lifecycle.agents.run import AgentRun
from fsm_lifecycle.exact_text import ExactTextField

#: How often a number that somebody else took meanwhile is drawn anew.
TRIES: Final = 50


class AgentEvent(models.Model):
    """One thing that happened in a run.

    Numbers have no gaps and become visible in their order, because two writers cannot hold the same number: who reads
    on from the last number it saw misses nothing.
    """

    run = models.ForeignKey(AgentRun, on_delete=models.CASCADE, related_name="events", db_index=False)
    seq = models.PositiveIntegerField()
    """1, 2, 3 … in the run."""
    kind = ExactTextField(max_length=32)
    """``status``, ``text``, ``tool_call``, ``tool_result``, ``refused``, ``proposal``, ``decision``, ``usage``, …"""
    call = ExactTextField(max_length=128, null=True, default=None)
    """The tool call it belongs to, as the model named it. One row of each kind for each call."""
    payload = models.JSONField(default=dict)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        app_label = "fsm_lifecycle"
        verbose_name = "agent event"
        default_permissions = ()
        ordering: ClassVar = ["run", "seq"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "seq"], name="fsm_lifecycle_event_seq"),
            models.UniqueConstraint(fields=["run", "call", "kind"], name="fsm_lifecycle_event_call"),
        ]

    def __str__(self) -> str:
        return f"run {self.run_id} #{self.seq} {self.kind}"


class AlreadyHappened(Exception):
    """This call has a row of this kind already."""


def record(run: AgentRun, kind: str, payload: Mapping[str, Any], *, call: str | None = None) -> AgentEvent:
    """Write down what happened, under the run's next number.

    Raises ``AlreadyHappened`` where the call has a row of this kind.
    """
    using = run._state.db or "default"
    events = AgentEvent.objects.using(using).filter(run_id=run.pk)
    number = 0
    for tries_left in reversed(range(TRIES)):
        # Where a transaction goes on seeing what it saw first (repeatable read), the highest number does not move.
        number = max(number, events.aggregate(last=Max("seq"))["last"] or 0) + 1
        event = AgentEvent(run_id=run.pk, seq=number, kind=kind, call=call, payload=dict(payload))
        try:
            with transaction.atomic(using=using):
                event.save(using=using, force_insert=True)
        except IntegrityError:
            if call is not None and events.filter(call=call, kind=kind).exists():
                raise AlreadyHappened(f"{kind} of {call}") from None
            if not tries_left:
                raise
        else:
            return event
    raise AssertionError("unreachable")  # pragma: no cover
