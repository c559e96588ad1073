"""A firing: one attempt as guards and effects see it. Must not know how it ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fsm_lifecycle.definition import Event, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """What guards and effects are told of the attempt they are part of."""

    record: Any
    event: Event
    source: State
    target: State | None
    """``None`` only while the guards of a branch are still choosing it."""
    actor: Any
    """A user or ``System``; ``None`` only when ``decide()`` was asked without one."""
    arguments: Mapping[str, Any]
    """The form's cleaned data."""
    metadata: Mapping[str, Any]
    cause: str | None
    """The hash of the entry that caused this firing."""
    sequence: int
    """The sequence its entry has or would have."""
    occurred_at: datetime | None
    """When it happened, where the caller said so."""
