"""Owns the field of a filter in which somebody names a record by its key. Must not know what is filtered."""

from __future__ import annotations

from typing import Any

from django import forms


class RecordField(forms.CharField):
    """A key as text, exactly as it came: keys that people choose may begin or end with a blank."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(label="Record", required=False, max_length=255, strip=False, **kwargs)

    def clean(self, value: Any) -> str:
        text = str(super().clean(value))
        return text if text.strip() else ""


def of_record(text: str) -> dict[str, Any]:
    """What finds the rows of a record: its key as it stands there, and without blanks that came along with it."""
    bare = text.strip()
    return {"object_pk": text} if bare == text else {"object_pk__in": [text, bare]}
