"""``IdempotentRequest``: a POST that was carried out, and the response that it got, for who sends it again.

Must not know how a request is carried out.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from fsm_lifecycle.exact_text import ExactTextField


class IdempotentRequest(models.Model):
    """One request with an ``Idempotency-Key``, written in the transaction of what it did."""

    lookup = ExactTextField(max_length=64, unique=True)
    """SHA-256 over user, method, path and key: what tells one request from another, of a length that fits an index."""
    user_id = ExactTextField(max_length=255)
    method = ExactTextField(max_length=8)
    path = models.TextField()
    key = ExactTextField(max_length=255)
    body_digest = ExactTextField(max_length=64)
    """SHA-256 over the canonical JSON of the body."""
    model_label = ExactTextField(max_length=100)
    object_pk = ExactTextField(max_length=255)
    """The record that it is about, or that it made; empty for a request about several."""
    status = models.PositiveSmallIntegerField(default=0)
    """The response's status; 0 while the transaction is open, which nobody else sees."""
    body = models.TextField(blank=True)
    """The response's body; empty once it was erased."""
    headers = models.JSONField(default=dict)
    created_at = models.DateTimeField()

    class Meta:
        app_label = "fsm_lifecycle"
        verbose_name = "idempotent request"
        default_permissions = ()
        indexes: ClassVar = [
            models.Index(fields=["created_at", "id"], name="fsm_lifecycle_idem_time"),
            models.Index(fields=["model_label", "object_pk"], name="fsm_lifecycle_idem_record"),
        ]

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.key}"
