"""Checkpoints: signed heads of the Merkle tree. Must not know how they are signed or where they are kept outside."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from fsm_lifecycle.append_only import AppendOnly, AppendOnlyQuerySet
from fsm_lifecycle.exact_text import ExactTextField


class Checkpoint(AppendOnly):
    """What the tree was at one size: a C2SP tlog-checkpoint note. https://c2sp.org/tlog-checkpoint"""

    tree_size = models.BigIntegerField()
    root_hash = ExactTextField(max_length=64)
    note = models.TextField()
    created_at = models.DateTimeField()

    objects = models.Manager.from_queryset(AppendOnlyQuerySet)()

    class Meta:
        app_label = "fsm_lifecycle"
        verbose_name = "checkpoint"
        default_permissions = ("view",)
        indexes: ClassVar = [models.Index(fields=["tree_size", "id"], name="fsm_lifecycle_checkpoint_size")]

    def __str__(self) -> str:
        return f"checkpoint of {self.tree_size} entries"

    @property
    def is_signed(self) -> bool:
        """Whether the note has signatures; whose they are and whether they are right is not asked."""
        return "\n\n" in self.note
