"""Owns the row of a timer. Must not know who sets it, nor what firing means."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from fsm_lifecycle.dispatch.leased import Leased
from fsm_lifecycle.exact_text import ExactTextField


class Timer(Leased):
    """One event of one record that is to fire by itself. ``due_at`` is when it is looked at, or tried again.

    It decides nothing: whether the event fires is decided on the record, under its lock, when the timer is due.
    """

    model_label = ExactTextField(max_length=100)
    object_pk = ExactTextField(max_length=255)
    event = ExactTextField(max_length=100)
    sequence = models.BigIntegerField()
    """The record's newest entry when it was set."""
    fires_at = models.DateTimeField(null=True)
    """What the record says: its time in the state is over, or the time in its field. ``due_at`` may be later: business
    hours, or another try. ``None`` when a save took the time away: the row goes when somebody works."""
    fired = models.BooleanField(default=False)
    """It has fired, and the record is where it was: kept so that it fires once. Or it has no time."""
    refused_at = models.DateTimeField(null=True, default=None)
    """When it was refused last; the refusal is on record."""

    class Meta:
        app_label = "fsm_lifecycle"
        verbose_name = "timer"
        default_permissions = ("view",)
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["model_label", "object_pk", "event"], name="fsm_lifecycle_timer_once"
            )
        ]
        indexes: ClassVar = [models.Index(fields=["fired", "due_at"], name="fsm_lifecycle_timer_due")]

    def __str__(self) -> str:
        return f"{self.event} of {self.model_label}:{self.object_pk} at {self.due_at:%Y-%m-%d %H:%M:%S}"
