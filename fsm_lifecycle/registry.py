"""Every model with a lifecycle. Nothing has to be registered by hand. Must not know what is done with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.apps import apps

if TYPE_CHECKING:
    from fsm_lifecycle.models import LifecycleModel


def lifecycles() -> list[type[LifecycleModel]]:
    """Every concrete model with a lifecycle, in the order of the apps. Proxies share their model's."""
    models: list[Any] = [m for m in apps.get_models() if hasattr(m, "_lifecycle") and not m._meta.proxy]
    return models


def get(label: str) -> type[LifecycleModel]:
    """The model of a label, ``"billing.invoice"``. Raises ``LookupError`` naming those there are."""
    model: Any
    try:
        model = apps.get_model(label)
    except (LookupError, ValueError):
        model = None
    if model is None or not hasattr(model, "_lifecycle"):
        known = ", ".join(m._meta.label_lower for m in lifecycles()) or "none yet"
        raise LookupError(f"No model {label!r} has a lifecycle. Those that have one: {known}.")
    found: type[LifecycleModel] = model
    return found
