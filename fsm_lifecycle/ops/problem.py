"""Owns what a problem is. Must not know which there are."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, and what to do about it."""

    code: str
    """Stable, for programs: ``NOT_SEALED``."""
    what: str
    """What is wrong, in a sentence or two that name the thing."""
    remedy: str
    """What to do, in a sentence."""

    @property
    def document(self) -> dict[str, str]:
        """As JSON."""
        return asdict(self)
