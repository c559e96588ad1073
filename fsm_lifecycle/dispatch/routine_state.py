"""Owns when a routine ran last, for all processes together. Must not know what it does."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from fsm_lifecycle.dispatch.leased import Leased
from fsm_lifecycle.exact_text import ExactTextField


class RoutineState(Leased):
    """One routine of one database: due when its pause is over, held by the process that runs it."""

    name = ExactTextField(max_length=64, unique=True)
    ran_at = models.DateTimeField(null=True, default=None)
    """When it last ended well."""
    failed_at = models.DateTimeField(null=True, default=None)
    """When it last failed; ``None`` when it has ended well since."""
    error_class = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        app_label = "fsm_lifecycle"
        verbose_name = "state of a routine"
        default_permissions: ClassVar = ()

    def __str__(self) -> str:
        return str(self.name)
