"""Owns the time at which tests of the reports fire."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from unittest.mock import patch

from django.utils import timezone


def at(*parts: int) -> datetime:
    """A moment in UTC."""
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type,misc]


@contextmanager
def it_is(*parts: int) -> Iterator[None]:
    """Inside, the clock stands at this moment."""
    with patch.object(timezone, "now", lambda: at(*parts)):
        yield
