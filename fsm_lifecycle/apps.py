"""The app: connects to the preparation of model classes, system checks and ``post_migrate``."""

from __future__ import annotations

import sys
from typing import Any

from django.apps import AppConfig, apps
from django.db.models.signals import class_prepared, post_migrate, pre_migrate


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
        from fsm_lifecycle import background, checks

        checks.register_all()
        background.register_all()
        pre_migrate.connect(_before_migrate, sender=self, dispatch_uid="fsm_lifecycle.migrating")
        post_migrate.connect(_after_migrate, sender=self, dispatch_uid="fsm_lifecycle.migrated")
        if apps.is_installed("guardian"):  # a check asks for it where it is missing
            from fsm_lifecycle.access import watching

            watching.connect()


def _prepare(sender: Any, **kwargs: Any) -> None:
    # The package's own models must not be imported before the apps are ready, nor while they are being made.
    base = getattr(sys.modules.get("fsm_lifecycle.models"), "LifecycleModel", None)
    if base is not None and issubclass(sender, base):
        from fsm_lifecycle.preparation import prepare

        prepare(sender)


def _before_migrate(using: str, plan: Any, apps: Any, **kwargs: Any) -> None:
    from fsm_lifecycle.migrating import step_aside

    step_aside(using, plan, apps)


def _after_migrate(using: str, **kwargs: Any) -> None:
    from fsm_lifecycle.migrating import make_roles, protect, store_definitions

    protect(using)
    store_definitions(using)
    make_roles(using)
