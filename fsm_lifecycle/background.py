"""Owns which work there is in the background: every kind, queue and routine, registered when the app is ready.

Must not know how any of it is carried out.
"""

from __future__ import annotations

import importlib
from datetime import timedelta
from typing import Any, Final

from django.apps import apps
from django.utils import timezone

from fsm_lifecycle.access.sweep import sweep
from fsm_lifecycle.dispatch import routines
from fsm_lifecycle.dispatch.routines import Routine
from fsm_lifecycle.engine import bulk_errand
from fsm_lifecycle.engine.expiry import remove_expired
from fsm_lifecycle.ledger.checkpoint import Checkpoint
from fsm_lifecycle.ledger.sealing import seal

#: Modules that register what they do when they are imported.
MODULES: Final = (
    "fsm_lifecycle.agents.background",
    "fsm_lifecycle.agents.loop.queue",
    "fsm_lifecycle.api.forgetting",
    "fsm_lifecycle.dispatch.items",
    "fsm_lifecycle.engine.bulk_errand",
    "fsm_lifecycle.engine.check_errand",
    "fsm_lifecycle.engine.durable",
    "fsm_lifecycle.engine.errand_forgetting",
    "fsm_lifecycle.engine.purge_errand",
    "fsm_lifecycle.timers.firing",
    "fsm_lifecycle.timers.keeping",
    "fsm_lifecycle.timers.watching",
    "fsm_lifecycle.webhooks.background",
    "fsm_lifecycle.webhooks.resend_errand",
)
#: How often a growing tree gets a checkpoint.
CHECKPOINT_EVERY: Final = timedelta(seconds=60)


def register_all() -> None:
    """Register everything. Called once, by ``AppConfig.ready``."""
    routines.register(
        Routine(name="sealing", label="Sealing", run=_seal, every=2.0, on_commit=True, gap=1.0, paced=True)
    )
    routines.register(
        Routine(name="grants", label="Grants that have ended", run=sweep, every=60.0, paced=True)
    )
    routines.register(
        Routine(name="retention", label="Rows kept for some days", run=_expire, every=3600.0, paced=True)
    )
    for module in MODULES:
        importlib.import_module(module)
    bulk_errand.witness("admin", _note_in_admin)


def _seal(using: str) -> int:
    newest = (
        Checkpoint.objects.using(using)
        .order_by("-tree_size", "-pk")
        .values_list("created_at", flat=True)
        .first()
    )
    due = newest is None or newest <= timezone.now() - CHECKPOINT_EVERY
    return seal(using, checkpoint=due).sealed


def _note_in_admin(*moved: Any) -> None:
    if apps.is_installed("django.contrib.admin"):
        from fsm_lifecycle.admin.model_admin.noting import note

        note(*moved)


def _expire(using: str) -> int:
    return sum(remove_expired(using=using).values())
