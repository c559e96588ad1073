"""Owns how work becomes a row, in the transaction of whoever wants it done. Must not know who does it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from fsm_lifecycle.dispatch.waking import offer
from fsm_lifecycle.dispatch.work_item import WorkItem


def enqueue(
    kind: str,
    payload: Mapping[str, Any],
    *,
    using: str = "default",
    key: str | None = None,
    due_at: datetime | None = None,
) -> WorkItem | None:
    """Have work done after the open transaction commits; at once when none is open.

    - ``payload``: JSON; ids and names, no copies of data.
    - ``key``: there is one item of that key at most; ``None`` comes back when there is one already.
    - ``due_at``: not before that moment.
    """
    item = WorkItem(
        kind=kind, payload=dict(payload), key=key, due_at=due_at or timezone.now(), created_at=timezone.now()
    )
    try:
        with transaction.atomic(using=using, savepoint=key is not None):
            item.save(using=using, force_insert=True)
    except IntegrityError:
        if key is None:
            raise
        return None
    offer("work", using)
    return item


def enqueue_many(items: Iterable[WorkItem], *, using: str) -> None:
    """Have many pieces of work done, written with one statement."""
    rows = list(items)
    if rows:
        WorkItem.objects.using(using).bulk_create(rows)
        offer("work", using)
