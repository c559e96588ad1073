"""Tombstones: the last entries of records that are gone. Must not know why they went, nor who may see them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final

from django.db.models import Q, QuerySet

from fsm_lifecycle.ledger.entry import TransitionLog

#: The kinds of entry that end a record.
ENDS: Final = ("purged", "deleted")


def tombstones(
    *,
    using: str = "default",
    kinds: Collection[str] = ENDS,
    model_labels: Collection[str] | None = None,
    before: tuple[datetime, int] | None = None,
    size: int = 50,
) -> list[TransitionLog]:
    """The entries that ended records, newest first: a keyset page.

    - ``kinds``: ``purged``, ``deleted`` or both.
    - ``model_labels``: of these models alone, as the log names them.
    - ``before``: ``recorded_at`` and ``id`` of the last entry of the page before.

    A key that was used again has an entry here for each record that ended.
    """
    found: QuerySet[TransitionLog] = TransitionLog.objects.using(using)
    # Asked first: an end leads to no state, and where the database can, an index holds those alone.
    found = found.filter(to_state__isnull=True, kind__in=list(kinds))
    if model_labels is not None:
        found = found.filter(model_label__in=list(model_labels))
    if before is not None:
        at, key = before
        found = found.filter(Q(recorded_at__lte=at) & (Q(recorded_at__lt=at) | Q(id__lt=key)))
    return list(found.order_by("-recorded_at", "-id")[:size])
