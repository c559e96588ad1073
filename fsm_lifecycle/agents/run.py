"""Owns the row of a run: one prompt of a user, and what an agent made of it. Must not know how it is worked on."""

from __future__ import annotations

import uuid
from typing import ClassVar, Final

from django.conf import settings
from django.db import models
from django.utils import timezone

from fsm_lifecycle.agents.token import McpToken
from fsm_lifecycle.dispatch.leased import Leased
from fsm_lifecycle.exact_text import ExactTextField

QUEUED: Final = "queued"
RUNNING: Final = "running"
WAITING: Final = "waiting"
DONE: Final = "done"
STOPPED: Final = "stopped"
FAILED: Final = "failed"

#: A run in one of these is over.
OVER: Final = (DONE, STOPPED, FAILED)


class AgentRun(Leased):
    """One turn of a conversation between a user and an agent, from the prompt to the answer.

    It is worked on under a lease (see ``dispatch.leases``), by whichever worker takes it, and outlives them all.
    """

    agent = ExactTextField(max_length=100)
    """The agent's key: ``billing.invoice_agent``, or the lifecycle's label for the agent it has by default."""
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    """For whom the agent acts. ``None`` when the account is gone: the agent may do nothing then."""
    user_key = ExactTextField(max_length=255)
    """The user's key as text, as the log has it in ``actor_id``. Stays when the account goes."""
    lifecycles = models.JSONField(default=list)
    """The labels (``billing.invoice``) of the models it may work on."""
    model = models.CharField(max_length=255, blank=True, default="")
    """The language model: ``anthropic/claude-sonnet-5-5``. Empty where a person or program calls the tools."""
    surface = ExactTextField(max_length=32, default="code")
    """Where it was asked for: ``chat``, ``command``, ``mcp``, ``tester``, ``api`` or ``code``."""
    conversation = models.UUIDField(default=uuid.uuid4, db_index=True)
    """What ties the turns of one conversation together."""
    prompt = models.TextField(blank=True, default="")
    status = ExactTextField(max_length=8, default=QUEUED)
    stop_reason = ExactTextField(max_length=32, blank=True, default="")
    """Why it ended or waits, as a code: ``end_turn``, ``approval``, ``turns``, ``tokens``, ``disabled``, ..."""
    answer = models.TextField(blank=True, default="")
    """The model's last text. It is text, never markup."""
    turns = models.PositiveIntegerField(default=0)
    """How often the model was asked."""
    tool_calls = models.PositiveIntegerField(default=0)
    input_tokens = models.BigIntegerField(default=0)
    """Everything sent, whether or not it came from a cache."""
    output_tokens = models.BigIntegerField(default=0)
    cost = models.DecimalField(max_digits=14, decimal_places=6, default=0)
    """US dollars, by ``AGENT_PRICES``; 0 for a model without a price."""
    seconds = models.FloatField(default=0.0)
    """How long it was worked on; waiting for a person does not count."""
    stop_requested = models.BooleanField(default=False)
    """Whether somebody pressed stop. Looked at before every request and every tool."""
    token = models.ForeignKey(
        McpToken, null=True, blank=True, on_delete=models.SET_NULL, related_name="runs", db_index=False
    )
    """The token through which its tools are called."""
    token_day = models.DateField(null=True, blank=True)
    """The day whose calls through that token it holds."""
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    due_at = models.DateTimeField(default=timezone.now)

    class Meta:
        app_label = "fsm_lifecycle"
        verbose_name = "agent run"
        default_permissions = ("view", "change")
        permissions: ClassVar = [("use_agents", "Can let agents act in their name")]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["token", "token_day"], name="fsm_lifecycle_run_of_day")
        ]
        indexes: ClassVar = [
            models.Index(fields=["user_key", "created_at"], name="fsm_lifecycle_run_user"),
            models.Index(fields=["agent", "created_at"], name="fsm_lifecycle_run_agent"),
            models.Index(fields=["status", "due_at"], name="fsm_lifecycle_run_due"),
            models.Index(fields=["finished_at"], name="fsm_lifecycle_run_ended"),
        ]

    def __str__(self) -> str:
        return f"{self.agent} run {self.pk} ({self.status})"

    @property
    def is_over(self) -> bool:
        """Whether nothing will happen in it any more."""
        return self.status in OVER

    @property
    def tokens(self) -> int:
        """All tokens, in and out."""
        return self.input_tokens + self.output_tokens
