"""Delegation: one user acts for another, with that one's roles, for a while. Must not know what roles allow."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models

from fsm_lifecycle.exact_text import ExactTextField


class Delegation(models.Model):
    """``to_user`` acts with the roles of ``from_user`` until ``until``. Ends sooner when the row is removed.

    Reaches the roles that ``from_user`` holds by then, never those delegated to him in turn.
    """

    from_user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    from_label = models.CharField(max_length=255, default="")
    to_user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    role = ExactTextField(max_length=100, default="", blank=True)
    """The one role that is delegated, on whatever model has it; empty for all roles."""
    until = models.DateTimeField()
    reason = models.TextField(default="", blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        app_label = "fsm_lifecycle"
        verbose_name = "delegation"
        default_permissions = ("view",)
        indexes: ClassVar = [models.Index(fields=["to_user", "until"], name="fsm_lifecycle_delegated_to")]

    def __str__(self) -> str:
        return f"{self.role or 'all roles'} of {self.from_label}, until {self.until:%Y-%m-%d %H:%M}"
