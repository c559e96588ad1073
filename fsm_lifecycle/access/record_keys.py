"""Owns which texts can be keys of a model at all; the others, sent by a browser or found in a log, make databases fail.

Must not know whose keys they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db import connections
from django.db.models import IntegerField, QuerySet


def readable(records: QuerySet[Any], keys: Sequence[str]) -> list[Any]:
    """Those of the keys that the model's column can hold, as its values."""
    field: Any = records.model._meta.pk
    while field.remote_field is not None:  # the link of a child is a key of its parent
        field = field.target_field
    return fitting(field, records.db, keys)


def fitting(field: Any, using: str, keys: Sequence[str]) -> list[Any]:
    """Those of the keys that a field's column can hold, as its values."""
    low, high = None, None
    if isinstance(field, IntegerField):
        low, high = connections[using].ops.integer_field_range(field.get_internal_type())
    found = []
    for key in keys:
        try:
            value = field.to_python(key)
        except (ValidationError, ValueError, OverflowError):
            continue
        if "\0" in str(key) or value in (None, ""):
            continue
        if (low is None or value >= low) and (high is None or value <= high):
            found.append(value)
    return found
