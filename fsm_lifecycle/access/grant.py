"""A grant: who holds which permission, through which group, on what. And until when, where it ends.

Grants themselves are stored by Django and guardian; here is how one is named, and the term that stands beside
it. Must not know how grants are made.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import ClassVar

from django.conf import settings
from django.db import models

from fsm_lifecycle.exact_text import ExactTextField


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One grant. All texts, so that it can be named when what it names is gone."""

    user: str = ""
    """The key of the user who holds it; empty for a group's own."""
    group: str = ""
    """The key of the group that holds it or, with ``user``, that the user is a member of."""
    model: str = ""
    """``billing.invoice``; empty for a membership."""
    codename: str = ""
    """``role_approver``, ``fire_pay``, ``view_invoice``; empty for a membership."""
    object_pk: str = ""
    """The record's key; empty for all records."""
    delegate: str = ""
    """The key of the user to whom a delegation is."""
    delegation: str = ""
    """The key of the delegation."""

    @property
    def digest(self) -> str:
        """What identifies it in one column: hex SHA-256."""
        parts = [
            self.user,
            self.group,
            self.model,
            self.codename,
            self.object_pk,
            self.delegate,
            self.delegation,
        ]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


class GrantTerm(models.Model):
    """Until when a grant counts. A grant without a term has no end.

    A membership has ``user`` and ``group``; a user's or a group's own grant has the holder and ``permission``,
    and ``object_pk`` where it is on one record.
    """

    grant = ExactTextField(max_length=64, unique=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    group = models.ForeignKey(
        "auth.Group", null=True, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    permission = models.ForeignKey("auth.Permission", null=True, on_delete=models.CASCADE, related_name="+")
    object_pk = ExactTextField(max_length=255, default="")
    until = models.DateTimeField(db_index=True)

    class Meta:
        app_label = "fsm_lifecycle"
        verbose_name = "grant term"
        default_permissions = ("view",)
        indexes: ClassVar = [
            models.Index(fields=["user", "group"], name="fsm_lifecycle_term_member"),
            models.Index(fields=["user", "permission"], name="fsm_lifecycle_term_user"),
            models.Index(fields=["group", "permission"], name="fsm_lifecycle_term_group"),
        ]

    def __str__(self) -> str:
        return f"until {self.until:%Y-%m-%d %H:%M}"
