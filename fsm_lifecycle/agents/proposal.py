"""Owns the row of a proposal: an event that an agent asks for and a person decides.

Must not know how it is made or carried out; ``approve`` and ``decline`` go to ``approving``.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar, Final

from django.conf import settings
from django.db import models
from django.utils import timezone

from fsm_lifecycle.agents.run import AgentRun
from fsm_lifecycle.exact_text import ExactTextField

PENDING: Final = "pending"
APPROVED: Final = "approved"
DECLINED: Final = "declined"
STALE: Final = "stale"
EXPIRED: Final = "expired"
FAILED: Final = "failed"

#: How long a person has to decide: a long weekend.
LASTS: Final = timedelta(days=4)


class Proposal(models.Model):
    """What an agent asks for: one event on one record, or a list of them (``steps``) decided as one.

    Nothing of it is done until a person approves; then the stored arguments are carried out, and no others.
    """

    run = models.ForeignKey(AgentRun, on_delete=models.CASCADE, related_name="proposals", db_index=False)
    call = ExactTextField(max_length=128)
    """The tool call that waits for the decision."""
    model_label = ExactTextField(max_length=100)
    """``billing.invoice``."""
    object_pk = ExactTextField(max_length=255, blank=True, default="")
    """The record; empty for a list of steps."""
    event = ExactTextField(max_length=100, blank=True, default="")
    arguments = models.JSONField(default=dict)
    """As the agent gave them; the event's form has found nothing wrong with them."""
    sequence = models.BigIntegerField(null=True)
    """The record's log entry on which the agent looked. Another since then makes the proposal stale."""
    steps = models.JSONField(default=list)
    """For a plan: ``{"object_pk", "event", "arguments", "sequence", "expected_state"}`` each."""
    digest = ExactTextField(max_length=64)
    """SHA-256 of everything that is carried out: what a person sees is what is done."""
    fingerprint = ExactTextField(max_length=64)
    """The table under which it was asked for. Another since then makes the proposal stale."""
    mode = ExactTextField(max_length=12, default="always")
    """``always``: anybody with the event's right. ``four_eyes``: anybody else than the user who asked."""
    status = ExactTextField(max_length=8, default=PENDING)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    decided_by_key = ExactTextField(max_length=255, blank=True, default="")
    reason = models.TextField(blank=True, default="")
    """Why it was declined, or why it came to nothing."""
    outcome = models.JSONField(null=True, default=None)
    """What the agent was told: the tool call's result."""

    class Meta:
        app_label = "fsm_lifecycle"
        verbose_name = "proposal"
        default_permissions = ("view",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "call"], name="fsm_lifecycle_proposal_call")
        ]
        indexes: ClassVar = [
            models.Index(fields=["status", "expires_at"], name="fsm_lifecycle_proposal_due"),
            models.Index(fields=["model_label", "object_pk"], name="fsm_lifecycle_proposal_record"),
        ]

    def __str__(self) -> str:
        return f"proposal {self.pk}: {self.event or f'{len(self.steps)} steps'} ({self.status})"

    @property
    def is_plan(self) -> bool:
        """Whether it is a list of steps."""
        return not self.event

    @property
    def record(self) -> Any:
        """The record it is about, as it is now; ``None`` for a list of steps, and where it is gone."""
        from fsm_lifecycle.agents.outcomes import model_of, record_of

        model = model_of(self)
        return None if self.is_plan or model is None else record_of(model, self.object_pk)

    @property
    def is_expired(self) -> bool:
        """Whether the time to decide is over."""
        return self.status == EXPIRED or (self.status == PENDING and self.expires_at <= timezone.now())

    def approve(self, *, by: Any, digest: str | None = None) -> Any:
        """Carry it out with the stored arguments, by the rights of the user who asked and of ``by``.

        Returns the log entry, for a plan the list of them. ``digest``: what the person was shown; another one than is
        stored is refused. Raises ``ProposalStale``, ``ProposalExpired``, ``ProposalDecided``, ``AccessDenied``, or
        what the engine says to the event now; nothing is changed then.
        """
        from fsm_lifecycle.agents.approving import approve

        return approve(self, by=by, digest=digest)

    def decline(self, *, by: Any, reason: str) -> None:
        """Say no; the agent is told why. Raises ``ProposalExpired``, ``ProposalDecided`` or ``AccessDenied``."""
        from fsm_lifecycle.agents.approving import decline

        decline(self, by=by, reason=reason)
