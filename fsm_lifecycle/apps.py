"""The app: connects to the preparation of model classes, system checks and ``post_migrate``."""

from __future__ import annotations

import sys
from typing import Any

from django.apps import AppConfig
from django.db.models.signals import class_prepared, post_migrate


class LifecycleConfig(AppConfig):
    """``fsm_lifecycle`` in ``INSTALLED_APPS``."""

    name = "fsm_lifecycle"
    verbose_name = "Lifecycles"
    default_auto_field = "django.db.models.BigAutoField"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # In ready() it would be too late: models are prepared before it.
        class_prepared.connect(_prepare, dispatch_uid="fsm_lifecycle.prepare")

    def ready(self) -> None:
        from fsm_lifecycle import checks

        checks.register_all()
        post_migrate.connect(_store_definitions, sender=self, dispatch_uid="fsm_lifecycle.definitions")


def _prepare(sender: Any, **kwargs: Any) -> None:
    # The package's own models must not be imported before the apps are ready, nor while they are being made.
    base = getattr(sys.modules.get("fsm_lifecycle.models"), "LifecycleModel", None)
    if base is not None and issubclass(sender, base):
        from fsm_lifecycle.preparation import prepare

        prepare(sender)


def _store_definitions(using: str, **kwargs: Any) -> None:
    from fsm_lifecycle.migrating import store_definitions

    store_definitions(using)
