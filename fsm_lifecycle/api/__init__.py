"""The REST API, on Django REST Framework: ``path("api/", include("fsm_lifecycle.api.urls"))``.

Must not evaluate rules: it asks ``decide()`` and ``fire()``, and renders what they say. Nothing of the framework is
imported before a name of it is asked for, so that the app's models load without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fsm_lifecycle.api.viewset import LifecycleViewSet

__all__ = ["LifecycleViewSet"]


def __getattr__(name: str) -> Any:
    if name == "LifecycleViewSet":
        from fsm_lifecycle.api.viewset import LifecycleViewSet

        return LifecycleViewSet
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
