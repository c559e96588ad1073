"""Owns leases: taking due rows, keeping them while the work lasts, writing the outcome.

``SKIP LOCKED`` where the database has it; elsewhere (SQLite) a compare-and-set on the lease itself. Must not know what
the rows are for.
"""

from __future__ import annotations

import logging
import os
import secrets
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any, TypeVar

from django.db import DatabaseError, connections
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from fsm_lifecycle import conf
from fsm_lifecycle.dispatch.leased import Leased
from fsm_lifecycle.transactions import is_busy, writing

logger = logging.getLogger("fsm_lifecycle")

L = TypeVar("L", bound=Leased)


def due(rows: QuerySet[L]) -> QuerySet[L]:
    """Those of the rows that are due and that nobody holds, the longest due first."""
    now = timezone.now()
    free = Q(lease_until=None) | Q(lease_until__lte=now)
    return rows.filter(free, due_at__lte=now).order_by("due_at", "pk")


def claim(rows: QuerySet[L], *, limit: int) -> list[L]:
    """Take up to ``limit`` due rows under a lease of ``LEASE_SECONDS``; none when another is faster.

    A row comes back with its ``fence`` and ``holder``, which ``settle`` needs.
    """
    ready = due(rows)
    if not ready.exists():  # asked first: an idle worker opens no writing transaction
        return []
    try:
        with writing(rows.db, savepoint=False) as connection:
            return _take(connection, ready, limit)
    except DatabaseError as error:
        if not is_busy(error) or connections[rows.db].needs_rollback:
            raise
        return []  # somebody was in the way: they are still due the next time


def _take(connection: Any, ready: QuerySet[L], limit: int) -> list[L]:
    holder = secrets.token_hex(16)
    taken = {
        "lease_until": timezone.now() + timedelta(seconds=conf.lease_seconds()),
        "holder": holder,
        "fence": F("fence") + 1,
    }
    skips = connection.features.has_select_for_update_skip_locked
    locked = (
        ready.select_for_update(skip_locked=True, of=("self",) if _can_say_of(connection) else ())
        if skips
        else ready
    )
    keys = list(locked.values_list("pk", flat=True)[:limit])
    if not keys:
        return []
    model = ready.model
    free: QuerySet[L] = QuerySet(model, using=connection.alias).filter(pk__in=keys)
    if not skips:
        free = free.filter(Q(lease_until=None) | Q(lease_until__lte=timezone.now()))
    free.update(**taken)
    mine: QuerySet[L] = QuerySet(model, using=connection.alias).filter(pk__in=keys, holder=holder)
    return list(mine.order_by("due_at", "pk"))


def _can_say_of(connection: Any) -> bool:
    return bool(connection.features.has_select_for_update_of)


def claim_one(rows: QuerySet[L], key: Any) -> L | None:
    """Take this row under a lease if it is due and free; ``None`` when it is not."""
    found = claim(rows.filter(pk=key), limit=1)
    return found[0] if found else None


def settle(row: Leased, **changes: Any) -> bool:
    """Write the outcome of a row and end its lease.

    ``False`` when the lease was lost to another: nothing is written then. In memory the row follows.
    """
    values = {"lease_until": None, "holder": "", **changes}
    written = _mine(row).update(**values)
    if written:
        for name, value in values.items():
            setattr(row, name, value)
    return bool(written)


def give_back(rows: Sequence[Leased]) -> None:
    """End the leases of rows of one claim that were not begun: they are as due as they were before it."""
    if not rows:
        return
    held: QuerySet[Any] = QuerySet(type(rows[0]), using=rows[0]._state.db)
    held = held.filter(pk__in=[row.pk for row in rows], holder__in={row.holder for row in rows} - {""})
    held.update(lease_until=None, holder="")
    for row in rows:
        row.lease_until, row.holder = None, ""


def discard(row: Leased) -> bool:
    """Remove a row that is done with. ``False`` when the lease was lost: it stays then."""
    return bool(_mine(row)._raw_delete(row._state.db))


def is_held(row: Leased) -> bool:
    """Whether the lease under which the row was taken still counts, asked in the database."""
    return _mine(row).filter(lease_until__gt=timezone.now()).exists()


def _mine(row: Leased) -> QuerySet[Any]:
    rows: QuerySet[Any] = QuerySet(type(row), using=row._state.db)
    return rows.filter(pk=row.pk, fence=row.fence, holder=row.holder)


def renew(rows: Sequence[Leased]) -> int:
    """Begin the leases of these rows anew; how many were still ours."""
    count = 0
    until = timezone.now() + timedelta(seconds=conf.lease_seconds())
    for row in rows:
        # One that was settled meanwhile has ended, also in memory: its name is gone, and it is not begun anew.
        count += _mine(row).exclude(lease_until=None).update(lease_until=until)
    return count


# --- the heartbeat ------------------------------------------------------------------------------------------


class _Heart:
    """One thread of this process that renews what its workers hold."""

    def __init__(self) -> None:
        self.held: dict[int, Leased] = {}
        self.lock = threading.Lock()
        self.wanted = threading.Event()
        self.thread: threading.Thread | None = None

    def add(self, rows: Sequence[Leased]) -> None:
        with self.lock:
            self.held.update({id(row): row for row in rows})
            if self.thread is None or not self.thread.is_alive():
                self.thread = threading.Thread(target=self.beat, name="fsm_lifecycle leases", daemon=True)
                with suppress(RuntimeError):  # a process that ends begins no thread, and soon needs no lease
                    self.thread.start()
        self.wanted.set()

    def drop(self, rows: Sequence[Leased]) -> None:
        with self.lock:
            for row in rows:
                self.held.pop(id(row), None)

    def beat(self) -> None:
        beat_at = float("inf")
        while True:
            beat_at = min(beat_at, time.monotonic() + conf.lease_seconds() / 3)
            self.wanted.wait(max(beat_at - time.monotonic(), 0.05))
            self.wanted.clear()
            if time.monotonic() < beat_at:
                continue  # something was added: the next beat may have to come sooner
            beat_at = float("inf")
            with self.lock:
                rows = list(self.held.values())
                if not rows:
                    self.thread = None
                    return
            try:
                renew(rows)
            except Exception:
                logger.exception("Leases were not renewed; they are tried again.")
            finally:
                connections.close_all()


_heart = _Heart()


def _after_fork() -> None:
    global _heart
    _heart = _Heart()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@contextmanager
def holding(rows: Sequence[Leased]) -> Iterator[None]:
    """Keep the leases of these rows alive while the block lasts, from a thread beside it."""
    _heart.add(rows)
    try:
        yield
    finally:
        _heart.drop(rows)
