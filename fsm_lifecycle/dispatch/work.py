"""Owns one try of one piece of durable work, as the work sees it. Must not know what it does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fsm_lifecycle.dispatch import leases
from fsm_lifecycle.dispatch.work_item import WorkItem


class LeaseLost(Exception):
    """Another worker has the work now: this one must stop and write nothing more."""


@dataclass(frozen=True, slots=True)
class Work:
    """What ``Kind.run`` is handed."""

    item: WorkItem
    using: str
    """The database it is in, and in which it works."""

    @property
    def payload(self) -> dict[str, Any]:
        """What the work is told."""
        found: dict[str, Any] = self.item.payload
        return found

    @property
    def stable_id(self) -> str:
        """The same at every try."""
        return self.item.stable_id

    def report(self, done: int, total: int = 0) -> None:
        """Say how far it is, for people who wait. Raises ``LeaseLost`` where it was taken away or dropped."""
        written = leases._mine(self.item).update(progress=done, total=total or self.item.total)
        if not written:
            raise LeaseLost(str(self.item))
        self.item.progress, self.item.total = done, total or self.item.total

    def check(self) -> None:
        """Raise ``LeaseLost`` where it was taken away or dropped."""
        if not leases.is_held(self.item):
            raise LeaseLost(str(self.item))
