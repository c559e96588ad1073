"""Owns the verification of the ledger as an errand, and what is kept of it. It begins anew after a killed worker.

Must not know how anything is found.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from typing import Any, Final

from django.db import DatabaseError, connections

from fsm_lifecycle.dispatch.kinds import GiveUp
from fsm_lifecycle.dispatch.work import LeaseLost
from fsm_lifecycle.engine import errands
from fsm_lifecycle.engine.errand import Errand
from fsm_lifecycle.engine.errands import Carrying, Ended
from fsm_lifecycle.ledger.verify import CannotVerify, verify

logger = logging.getLogger("fsm_lifecycle")

KIND: Final = "verify"
RIGHT: Final = "fsm_lifecycle.view_checkpoint"
#: How many findings of a code are kept; all are counted.
KEPT: Final = 20
#: Seconds between two looks at how far it is.
BEAT: Final = 0.5


def order(*, user: Any, using: str, deep: bool) -> Errand | None:
    """Have the ledger of a database checked; ``None`` while a check is under way there."""
    if under_way(using) is not None:
        return None
    errand = errands.ask(KIND, user, using=using, payload={"deep": deep})
    errands.begin(errand)
    return errand


def under_way(using: str) -> Errand | None:
    """The check that is not over yet."""
    return Errand.objects.using(using).filter(kind=KIND, status=Errand.GOING).order_by("-id").first()


def last(using: str) -> Errand | None:
    """The newest check that came to its end."""
    return Errand.objects.using(using).filter(kind=KIND, status=Errand.DONE).order_by("-id").first()


def _do(carrying: Carrying) -> None:
    if not carrying.user().has_perm(RIGHT):
        raise Ended("The person who asked for it may not check the ledger any more.")
    began = time.monotonic()
    counts: Counter[str] = Counter()
    kept: list[dict[str, Any]] = []
    with _Telling(carrying) as telling:
        found = verify(
            carrying.using, deep=bool(carrying.errand.payload.get("deep")), progress=telling.progress
        )
        try:
            for finding in found:
                counts[finding.code] += 1
                if counts[finding.code] <= KEPT:
                    kept.append(finding.as_json())
        except CannotVerify as error:
            # Its words may tell where keys and checkpoints lie, which no page does.
            logger.warning("The ledger could not be checked: %s", error)
            raise GiveUp("It could not be read as a whole. manage.py lifecycle_verify says why.") from error
    carrying.errand.total = telling.total
    carrying.note(
        telling.total,
        total=telling.total,
        result={
            "whole": found.whole,
            "counts": counts,
            "findings": kept,
            "checked": found.checked,
            "not_checked": found.not_checked,
            "seconds": round(time.monotonic() - began, 1),
        },
    )


class _Telling:
    """Writes how far it is from a thread beside it: the one that reads is in a transaction that may not write."""

    def __init__(self, carrying: Carrying) -> None:
        self.carrying = carrying
        self.done = self.total = 0
        self._over = threading.Event()
        self._trouble: Exception | None = None
        # Where all is in one transaction or in memory, another connection would see nothing, or wait for us.
        connection: Any = connections[carrying.using]
        alone = connection.in_atomic_block or (connection.vendor == "sqlite" and connection.is_in_memory_db())
        self._thread = None if alone else threading.Thread(target=self._tell, daemon=True)

    def __enter__(self) -> _Telling:
        if self._thread is not None:
            self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def progress(self, done: int, total: int) -> None:
        """What ``verify`` calls: raises what the thread has found out."""
        self.done, self.total = done, total
        if self._trouble is not None:
            raise self._trouble

    def _tell(self) -> None:
        try:
            while not self._over.wait(BEAT):
                try:
                    self.carrying.look_up(go_on=True)
                    self.carrying.errand.total = self.total
                    self.carrying.note(self.done, total=self.total)
                except (Ended, LeaseLost) as error:
                    self._trouble = error
                    return
                except DatabaseError:
                    logger.debug("The progress of a check could not be written.", exc_info=True)
        finally:
            connections.close_all()


errands.register(KIND, "Checks of the ledger", _do)
