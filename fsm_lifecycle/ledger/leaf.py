"""Leaves: which entry stands where in the Merkle tree. Must not know how leaves become a tree."""

from __future__ import annotations

from django.db import models

from fsm_lifecycle.append_only import AppendOnly, AppendOnlyQuerySet
from fsm_lifecycle.exact_text import ExactTextField


class LogLeaf(AppendOnly):
    """One sealed entry. The leaf index, from 0 and without gaps, is a total order of the log.

    ``entry_hash`` is what the entry's hash was when it was sealed: the leaf hash of RFC 6962.
    """

    leaf_index = models.BigIntegerField(primary_key=True)
    entry_id = models.BigIntegerField(unique=True)
    entry_hash = ExactTextField(max_length=64)

    objects = models.Manager.from_queryset(AppendOnlyQuerySet)()

    class Meta:
        app_label = "fsm_lifecycle"
        verbose_name = "log leaf"
        verbose_name_plural = "log leaves"
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"leaf {self.leaf_index}: entry {self.entry_id}"


def tree_size(using: str) -> int:
    """How many entries are sealed: the size of the tree."""
    last = LogLeaf.objects.using(using).aggregate(last=models.Max("leaf_index"))["last"]
    return 0 if last is None else last + 1
