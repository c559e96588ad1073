"""Owns the rows of errands: long work that a person asked for, how far it is, and what came of it.

Must not know how any errand is carried out, nor how it is shown.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from fsm_lifecycle.exact_text import ExactTextField


class Errand(models.Model):
    """One thing that a person asked for and that takes longer than a request may."""

    ASKED: ClassVar = "asked"
    GOING: ClassVar = "going"
    DONE: ClassVar = "done"
    STOPPED: ClassVar = "stopped"
    FAILED: ClassVar = "failed"

    kind = ExactTextField(max_length=32)
    """The kind of work that carries it out."""
    status = ExactTextField(max_length=8, default=ASKED)
    """``asked``: made, and not begun until the person says so."""
    asked_by = ExactTextField(max_length=255)
    """The key of the user, as text. What is done is done with the rights this user has then."""
    asked_at = models.DateTimeField()
    model_label = ExactTextField(max_length=100, blank=True, default="")
    """The model it is about, ``app.model``; empty where it is about none."""
    payload = models.JSONField(default=dict)
    """What was ordered."""
    result = models.JSONField(default=dict)
    """What came of it so far. Bounded in size."""
    done = models.BigIntegerField(default=0)
    total = models.BigIntegerField(default=0)
    """How much there is to do; 0 while that is not known."""
    began_at = models.DateTimeField(null=True, default=None)
    stop_at = models.DateTimeField(null=True, default=None)
    """When somebody asked it to stop."""
    finished_at = models.DateTimeField(null=True, default=None)
    why = models.TextField(blank=True, default="")
    """Why it was stopped or failed, in a sentence."""

    class Meta:
        app_label = "fsm_lifecycle"
        verbose_name = "errand"
        default_permissions = ()
        indexes: ClassVar = [
            models.Index(fields=["kind", "id"], name="fsm_lifecycle_errand_kind"),
            models.Index(fields=["status", "id"], name="fsm_lifecycle_errand_status"),
            models.Index(fields=["finished_at"], name="fsm_lifecycle_errand_ended"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk} ({self.status})"

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen, unless a failed one is tried again."""
        return self.status in (self.DONE, self.STOPPED, self.FAILED)

    @property
    def work_key(self) -> str:
        """The key of the piece of work that carries it out."""
        return f"errand:{self.pk}"


class ErrandPart(models.Model):
    """Some of the records of an errand: worked on in one transaction, which writes what became of each, too."""

    errand = models.ForeignKey(Errand, models.CASCADE, related_name="parts", db_index=False)
    number = models.PositiveIntegerField()
    records = models.JSONField()
    """``[[key, sequence], …]``: the records, and the newest entry of each that the person had seen."""
    outcome = models.JSONField(null=True, default=None)
    """What became of each; ``None`` until it was worked on."""
    done_at = models.DateTimeField(null=True, default=None)

    class Meta:
        app_label = "fsm_lifecycle"
        verbose_name = "part of an errand"
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["errand", "number"], name="fsm_lifecycle_errand_part"),
        ]

    def __str__(self) -> str:
        return f"part {self.number} of errand {self.errand_id}"
