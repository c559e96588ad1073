"""The app: its templates and styles, and the check of its place in ``INSTALLED_APPS``."""

from __future__ import annotations

from django.apps import AppConfig
from django.core.checks import register


class UnfoldConfig(AppConfig):
    """``fsm_lifecycle.contrib.unfold`` in ``INSTALLED_APPS``."""

    name = "fsm_lifecycle.contrib.unfold"
    label = "fsm_lifecycle_unfold"  # unfold itself is called unfold
    verbose_name = "Lifecycles in unfold"

    def ready(self) -> None:
        from fsm_lifecycle.contrib.unfold.checks import check_order

        register(check_order, "fsm_lifecycle")
