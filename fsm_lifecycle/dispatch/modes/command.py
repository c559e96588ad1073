"""Owns the mode ``command``: ``manage.py lifecycle_work`` looks for itself, so nobody is woken."""

from __future__ import annotations


class Command:
    """Work waits for ``manage.py lifecycle_work``, from cron or as a service."""

    def listens(self) -> bool:
        """No."""
        return False

    def wake(self, using: str) -> None:
        """Nothing: the command looks at the database."""

    def offer(self, queue: str, using: str) -> None:
        """Nothing: the command looks at the database."""


MODE = Command()
