"""Owns how often a user may ask: rates under ``lifecycle-events`` and ``lifecycle`` in the project's
``DEFAULT_THROTTLE_RATES``. No rate, no limit. Must not know what is asked.
"""

from __future__ import annotations

from typing import Any, Final

from rest_framework.settings import api_settings
from rest_framework.throttling import ScopedRateThrottle

EVENTS: Final = "lifecycle-events"
REST: Final = "lifecycle"


class LifecycleThrottle(ScopedRateThrottle):  # type: ignore[misc]
    """As the framework's scoped throttle; the rates are read when asked, and a scope without one is free."""

    scope_attr = "lifecycle_scope"

    def get_rate(self) -> Any:
        return (api_settings.DEFAULT_THROTTLE_RATES or {}).get(self.scope)
