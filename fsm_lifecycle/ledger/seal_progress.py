"""How far sealing has come. Losing this row costs time, nothing else: what is sealed stands in the leaves.

Must not know how entries are sealed.
"""

from __future__ import annotations

from django.db import models


class SealProgress(models.Model):
    """The only row, locked by the sealer at work, so that there is one at a time."""

    settled_id = models.BigIntegerField(default=0)
    """Every entry with a key up to this one is sealed, skipped, or will never be committed."""
    barrier = models.JSONField(null=True, default=None)
    """What has to be over before more counts as settled; ``None`` when nothing is waited for."""
    skipped = models.JSONField(default=list)
    """Keys of entries up to ``settled_id`` that could not be sealed, tried again each time."""

    class Meta:
        app_label = "fsm_lifecycle"
        verbose_name = "progress of sealing"
        default_permissions = ()

    def __str__(self) -> str:
        return f"settled up to entry {self.settled_id}"
