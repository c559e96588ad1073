"""Writing JSON that every client can read: RFC 8259 has no infinities and no NaN, so where one is kept there is null.

Must not know what is written.
"""

from __future__ import annotations

import math
from typing import Any

from rest_framework.renderers import JSONRenderer


class LifecycleJSONRenderer(JSONRenderer):  # type: ignore[misc]
    """Renders ``application/json``."""

    def render(self, data: Any, *args: Any, **kwargs: Any) -> bytes:
        """As the framework's, with null for what is no number."""
        try:
            text: bytes = super().render(data, *args, **kwargs)
        except ValueError:
            text = super().render(finite(data), *args, **kwargs)
        return text


def finite(value: Any) -> Any:
    """Plain values, with ``None`` for floats that JSON does not have."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [finite(one) for one in value]
    return value
