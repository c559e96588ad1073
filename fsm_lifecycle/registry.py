"""Every model with a lifecycle, and which databases its records may be in. Nothing has to be registered by hand.

Must not know what is done with them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.db import connections, router

if TYPE_CHECKING:
    from fsm_lifecycle.models import LifecycleModel


def lifecycles() -> list[type[LifecycleModel]]:
    """Every concrete model with a lifecycle, in the order of the apps. Proxies share their model's."""
    models: list[Any] = [m for m in apps.get_models() if hasattr(m, "_lifecycle") and not m._meta.proxy]
    return models


def lives_in(model: Any, using: str) -> bool:
    """Whether records of a model may be in a database: ``migrate`` makes its table there.

    A copy that is only read has what its original has, though ``migrate`` makes nothing there, not even the log.
    """
    log = apps.get_model("fsm_lifecycle", "TransitionLog")
    return router.allow_migrate_model(using, model) or not router.allow_migrate_model(using, log)


def get(label: str, using: str | None = None) -> type[LifecycleModel]:
    """The model of a label, ``"billing.invoice"``. Raises ``LookupError`` naming those there are.

    ``using``: its records must be allowed in this database; otherwise ``LookupError`` names those they may be in.
    """
    model: Any
    try:
        model = apps.get_model(label)
    except (LookupError, ValueError):
        model = None
    if model is None or not hasattr(model, "_lifecycle"):
        known = ", ".join(m._meta.label_lower for m in lifecycles()) or "none yet"
        raise LookupError(f"No model {label!r} has a lifecycle. Those that have one: {known}.")
    found: type[LifecycleModel] = model
    if using is not None and not lives_in(found, using):
        homes = ", ".join(alias for alias in connections if router.allow_migrate_model(alias, found))
        raise LookupError(
            f"The routers keep {found._meta.label_lower} out of the database “{using}”. Name one that has it: "
            f"{homes or 'none does'}."
        )
    return found
