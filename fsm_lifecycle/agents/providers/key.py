"""Whether a provider has what it needs to be asked, told without showing it. Must not hold any secret."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Key:
    """The state of a provider's key."""

    present: bool
    where: str
    """In words: where it was found, or what to set."""


def from_environment(*names: str, remedy: str) -> Key:
    """A key that stands in one of these variables."""
    for name in names:
        if os.environ.get(name):
            return Key(True, f"{name} is set in the environment.")
    return Key(False, remedy)
