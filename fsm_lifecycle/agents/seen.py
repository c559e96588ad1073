"""Owns which records a run has looked at, so that what it keeps of one can be found when that is to go.

Must not know what it has seen of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Final

from django.db import models

from fsm_lifecycle.agents.run import AgentRun
from fsm_lifecycle.exact_text import ExactTextField

#: As the key of a record: any of its model, because what was shown does not say of which it tells.
ANY: Final = ""


class SeenRecord(models.Model):
    """One record of which a run was shown something, named as the log names it."""

    run = models.ForeignKey(AgentRun, on_delete=models.CASCADE, related_name="seen", db_index=False)
    model_label = ExactTextField(max_length=100)
    object_pk = ExactTextField(max_length=255)

    class Meta:
        app_label = "fsm_lifecycle"
        verbose_name = "record seen by an agent"
        verbose_name_plural = "records seen by agents"
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["run", "model_label", "object_pk"], name="fsm_lifecycle_seen_once"
            )
        ]
        indexes: ClassVar = [
            models.Index(fields=["model_label", "object_pk"], name="fsm_lifecycle_seen_record")
        ]

    def __str__(self) -> str:
        return f"run {self.run_id} saw {self.model_label}:{self.object_pk}"


def see(run: AgentRun, records: Iterable[tuple[str, str]]) -> None:
    """Put down that a run is shown something of these records, each named by label and key."""
    rows = [SeenRecord(run_id=run.pk, model_label=label, object_pk=key) for label, key in sorted(records)]
    if rows:
        SeenRecord.objects.using(run._state.db or "default").bulk_create(rows, ignore_conflicts=True)
