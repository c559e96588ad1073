"""Owns how far a follower of the log has come. Must not know who follows, nor why."""

from __future__ import annotations

from django.db import models

from fsm_lifecycle.exact_text import ExactTextField


class LogCursor(models.Model):
    """One follower's place in the log, moved in the transaction that does what the entries ask for."""

    name = ExactTextField(max_length=64, unique=True)
    settled_id = models.BigIntegerField(default=0)
    """Every entry with a key up to this one was seen, or will never be committed."""
    barrier = models.JSONField(null=True, default=None)
    """What has to be over before more counts as settled; ``None`` when nothing is waited for."""
    moved_at = models.DateTimeField(null=True, default=None)
    """When it last moved."""

    class Meta:
        app_label = "fsm_lifecycle"
        verbose_name = "place of a follower of the log"
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.name}: settled up to entry {self.settled_id}"
