"""The lifecycle pages in django-unfold: an app for ``INSTALLED_APPS``, and ``LifecycleAdmin`` on unfold's admin.

Names are looked up when they are asked for, since Django imports this package before the models are ready.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fsm_lifecycle.contrib.unfold.model_admin import LifecycleAdmin
    from fsm_lifecycle.contrib.unfold.sidebar import lifecycle_group

__all__ = ["LifecycleAdmin", "lifecycle_group"]


def __getattr__(name: str) -> Any:
    if name == "LifecycleAdmin":
        from fsm_lifecycle.contrib.unfold import model_admin

        return model_admin.LifecycleAdmin
    if name == "lifecycle_group":
        from fsm_lifecycle.contrib.unfold import sidebar

        return sidebar.lifecycle_group
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
