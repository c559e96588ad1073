"""Owns the row of a piece of durable work. Must not know what the work is."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from fsm_lifecycle.dispatch.leased import Leased
from fsm_lifecycle.exact_text import ExactTextField


class WorkItem(Leased):
    """Something to be done after the commit that wrote this row: tried until it succeeds or is given up.

    What may run again after an expired lease must bear it: work carries a stable id (``stable_id``).
    """

    QUEUED: ClassVar = "queued"
    DONE: ClassVar = "done"
    DEAD: ClassVar = "dead"

    kind = ExactTextField(max_length=64)
    """Which work it is: the name of a registered ``Kind``."""
    key = ExactTextField(max_length=255, null=True, unique=True, default=None)
    """What makes it the only one of its sort; ``None`` for work of which there may be many."""
    payload = models.JSONField(default=dict)
    """What the work is told: ids and names."""
    status = ExactTextField(max_length=8, default=QUEUED)
    tries = models.PositiveIntegerField(default=0)
    """How often it was begun."""
    error_class = models.CharField(max_length=200, blank=True, default="")
    """The class of the last failure. Its text is in the server's own log, since it may hold anything."""
    progress = models.BigIntegerField(default=0)
    """How much is done, of ``total``."""
    total = models.BigIntegerField(default=0)
    """How much there is to do; 0 when it is not counted."""
    result = models.JSONField(null=True, default=None)
    """What came out, for whoever asked for the work."""
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, default=None)

    class Meta:
        app_label = "fsm_lifecycle"
        verbose_name = _("piece of work")
        verbose_name_plural = _("work")
        default_permissions = ()
        permissions: ClassVar = [("manage_work", "Can see, retry and drop background work")]
        indexes: ClassVar = [
            models.Index(fields=["status", "due_at"], name="fsm_lifecycle_work_due"),
            models.Index(fields=["status", "finished_at"], name="fsm_lifecycle_work_ended"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk} ({self.status})"

    @property
    def stable_id(self) -> str:
        """The same at every try: what a receiver or a second try can tell a repetition by."""
        return self.key or f"work-{self.pk}"
