"""Owns the row of one message between a run and its model. Must not know which model that is."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone

from fsm_lifecycle.agents.run import AgentRun
from fsm_lifecycle.exact_text import ExactTextField


class AgentMessage(models.Model):
    """One message of a run, in order: what was said to the model and what it said, in Anthropic's block format."""

    run = models.ForeignKey(AgentRun, on_delete=models.CASCADE, related_name="messages", db_index=False)
    seq = models.PositiveIntegerField()
    """1, 2, 3 … in the run."""
    role = ExactTextField(max_length=9)
    """``user`` or ``assistant``."""
    content = models.JSONField(default=list)
    """A list of blocks: ``text``, ``tool_use``, ``tool_result``, ``thinking``."""
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        app_label = "fsm_lifecycle"
        verbose_name = "agent message"
        default_permissions = ()
        ordering: ClassVar = ["run", "seq"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "seq"], name="fsm_lifecycle_message_seq")
        ]

    def __str__(self) -> str:
        return f"run {self.run_id} #{self.seq} {self.role}"
