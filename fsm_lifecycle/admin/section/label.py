"""Owns how a lifecycle is named in an address: ``app.model``. Must not know what is at that address."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from django.urls import register_converter

from fsm_lifecycle.registry import lifecycles


class LabelConverter:
    """``app.model`` in an address."""

    regex = r"\w+\.\w+"

    def to_python(self, value: str) -> str:
        """As it stands."""
        return value

    def to_url(self, value: str) -> str:
        """As it stands."""
        return value


register_converter(LabelConverter, "lifecycle_label")


def model_of(label: str) -> Any:
    """The model of an address. Raises ``Http404``."""
    found = next((model for model in lifecycles() if model._meta.label_lower == label), None)
    if found is None:
        raise Http404(f"No model {label} has a lifecycle.")
    return found
