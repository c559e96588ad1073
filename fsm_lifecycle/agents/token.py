"""Owns the row of a token with which another program calls tools as a user. Must not know the protocol."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone

from fsm_lifecycle.exact_text import ExactTextField


class McpToken(models.Model):
    """A bearer token. Only its SHA-256 is kept, so that who reads the table cannot use it."""

    digest = ExactTextField(max_length=64, unique=True)
    """Hex SHA-256 of the token's text."""
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    agent = ExactTextField(max_length=100, blank=True, default="")
    """The key of the agent whose tools it gives; empty for those of every lifecycle."""
    label = models.CharField(max_length=100, blank=True, default="")
    """What its owner calls it."""
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        app_label = "fsm_lifecycle"
        verbose_name = "MCP token"
        default_permissions = ("view",)

    def __str__(self) -> str:
        return self.label or f"token {self.pk}"

    @property
    def is_valid(self) -> bool:
        """Whether it may be used now."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > timezone.now())
