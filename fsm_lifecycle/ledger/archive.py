"""The archive: entries that were exported elsewhere and read back, apart from the log.

Owns the table, and that what is erased in the log does not live on here. Must not know the log's own rows.
"""

from __future__ import annotations

from django.db import models

from fsm_lifecycle.append_only import AppendOnlyQuerySet
from fsm_lifecycle.exact_text import ExactTextField
from fsm_lifecycle.ledger.body import BodyMismatch, read_body, redacted
from fsm_lifecycle.ledger.entry import EntryColumns


class ArchivedEntry(EntryColumns):
    """One entry of an export, verified when it came in. Nothing fires from it."""

    guarded = False  # a copy: what makes it true is the file it came from

    source = ExactTextField(max_length=255)
    """The origin (``LEDGER_ORIGIN``) that the export names."""
    leaf_index = models.BigIntegerField(null=True)
    """Where it stood in that ledger's tree; NULL when it was not sealed."""
    imported_at = models.DateTimeField()

    objects = models.Manager.from_queryset(AppendOnlyQuerySet)()

    class Meta:
        app_label = "fsm_lifecycle"
        verbose_name = "archived entry"
        verbose_name_plural = "archived entries"
        default_permissions = ("view",)
        indexes = (
            models.Index(
                fields=["model_label", "object_pk", "sequence"], name="fsm_lifecycle_archive_record"
            ),
        )

    def __str__(self) -> str:
        return f"{self.model_label}:{self.object_pk} #{self.sequence} from {self.source}"


def as_redacted_as(body: str, other: str) -> str:
    """A body, with what is redacted in another copy of it redacted too. A copy that is no body says nothing."""
    if body == other or '{"redacted":"' not in other:
        return body
    try:
        theirs = {name for name, field in read_body(other).items() if field.redacted}
    except BodyMismatch:
        return body
    mine = {name for name, field in read_body(body).items() if not field.redacted}
    return redacted(body, theirs & mine) if theirs & mine else body
