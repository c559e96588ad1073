"""Owns the sealer that goes on: a pass every few seconds until it is told to stop.

Must not know signals or who reads what it tells.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from threading import Event
from typing import Any

from django.db import InterfaceError, OperationalError, connections

from fsm_lifecycle.ledger.checkpoint import Checkpoint
from fsm_lifecycle.ledger.sealing import SealResult, Skipped, seal


@dataclass
class Tally:
    """What all passes have done together."""

    sealed: int = 0
    tree_size: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    """Those that the last pass left."""
    checkpoint: Checkpoint | None = None
    """The last one that was made."""
    not_exported: list[str] = field(default_factory=list)

    def add(self, result: SealResult) -> None:
        """Count one more pass."""
        self.sealed += result.sealed
        self.tree_size = result.tree_size
        self.skipped = result.skipped
        self.checkpoint = result.checkpoint or self.checkpoint
        self.not_exported += result.not_exported

    def document(self) -> dict[str, Any]:
        """All of it as JSON has it."""
        made = self.checkpoint
        return {
            "sealed": self.sealed,
            "tree_size": self.tree_size,
            "checkpoint": None
            if made is None
            else {
                "tree_size": made.tree_size,
                "root_hash": made.root_hash,
                "signed": made.is_signed,
                "note": made.note,
            },
            "skipped": [asdict(one) for one in self.skipped],
            "not_exported": self.not_exported,
        }


class Sealer:
    """Seals one database's log until ``stop()`` is called, from a signal handler or another thread.

    ``every``: seconds between two passes. ``checkpoint_every``: seconds between two checkpoints while the tree grows;
    one more is made at the end.
    """

    def __init__(self, using: str, *, every: float = 2.0, checkpoint_every: float = 60.0) -> None:
        self.using = using
        self.every = every
        self.checkpoint_every = checkpoint_every
        self.tally = Tally()
        self._stopped = Event()

    def stop(self) -> None:
        """End after the batch that is at work."""
        self._stopped.set()

    @property
    def stopped(self) -> bool:
        """Whether it was told to."""
        return self._stopped.is_set()

    def once(self, progress: Callable[[int, int], None] | None = None) -> SealResult:
        """One pass. Raises as ``seal`` does."""
        result = seal(self.using, progress=progress, stopped=self._stopped.is_set)
        self.tally.add(result)
        return result

    def run(self, tell: Callable[[SealResult], None], warn: Callable[[str], None]) -> None:
        """Pass after pass. ``tell`` gets what each has done; ``warn`` when the database cannot be reached.

        Raises as ``seal`` does, but for a database that is away: that is tried again.
        """
        due = time.monotonic()
        away = False
        while not self.stopped:
            now = time.monotonic()
            try:
                result = seal(self.using, stopped=self._stopped.is_set, checkpoint=now >= due)
            except (OperationalError, InterfaceError) as error:
                if not away:
                    warn(f"The database {self.using!r} cannot be used and is tried again: {error}")
                away = True
                connections[self.using].close()
            else:
                away = False
                if now >= due:
                    due = now + self.checkpoint_every
                self.tally.add(result)
                tell(result)
            self._stopped.wait(self.every)
        if not away:
            result = seal(self.using, stopped=lambda: True)
            self.tally.add(result)
            tell(result)
