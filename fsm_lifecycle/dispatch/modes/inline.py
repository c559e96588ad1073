"""Owns the mode ``inline``: everything that is due is done right after the commit, before the caller goes on.

For tests and scripts. Must not know what the work is.
"""

from __future__ import annotations

from contextvars import Context, ContextVar

from fsm_lifecycle.dispatch.routines import all_routines
from fsm_lifecycle.dispatch.working import work_off

_at_work: ContextVar[bool] = ContextVar("fsm_lifecycle_inline", default=False)


class Inline:
    """Works in the thread and on the connection that has just committed."""

    def listens(self) -> bool:
        """Yes."""
        return True

    def wake(self, using: str) -> None:
        """Do everything that is due there. What that commits is done in the same go."""
        if not _at_work.get():
            # In a context of its own, as in a worker: who has just committed does not act there.
            Context().run(self._work, using)

    def _work(self, using: str) -> None:
        _at_work.set(True)
        work_off(using, routines=[one for one in all_routines() if one.on_commit], alone=True)

    def offer(self, queue: str, using: str) -> None:
        """The same: all queues are worked off."""
        self.wake(using)


MODE = Inline()
