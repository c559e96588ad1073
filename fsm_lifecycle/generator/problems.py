"""What is wrong with what was asked for: everything at once, each with what would be right.

Must not know who is told.
"""

from __future__ import annotations

from collections.abc import Sequence


class Refused(Exception):
    """Nothing was written. ``problems`` are sentences for the person at the keyboard."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)
