"""Reading the log in leaf order, as far as one user may see it. The leaf index is the cursor: a total order.

Entries come when they are sealed. What a user may see is asked for each batch. Must not know how a batch is sent.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import Exists, OuterRef

from fsm_lifecycle.engine.visible_log import sight
from fsm_lifecycle.ledger.leaf import tree_size
from fsm_lifecycle.models import LogLeaf, SealProgress, TransitionLog

#: So many leaves are looked at for one batch, whoever may see how many of them.
SCANNED: Final = 2000
#: So many at a time.
_STEP: Final = 500
#: For how many seconds the end of the tree is believed.
_FRESH: Final = 0.5


@dataclass(frozen=True, slots=True)
class Batch:
    """What was found."""

    entries: tuple[tuple[int, TransitionLog], ...]
    """Leaf index and entry, in leaf order."""
    after: int | None
    """The last leaf that was looked at; ``None`` where there was none yet."""
    more: bool
    """Whether there are leaves that were not looked at."""


def read(user: Any, *, after: int | None, labels: Sequence[str] | None, size: int, using: str) -> Batch:
    """The next entries that the user may see, after a leaf; of some models alone where they are named."""
    seen = sight(user, using)
    end = tree_size(using) - 1
    place = -1 if after is None else after
    if seen.nothing or place >= end:
        return Batch((), max(place, end) if end >= 0 or after is not None else None, False)
    entries = TransitionLog.objects.using(using).order_by()
    if labels is not None:
        entries = entries.filter(model_label__in=labels)
    leaves = LogLeaf.objects.using(using).order_by("leaf_index")
    found: list[tuple[int, TransitionLog]] = []
    if seen.few:
        # Few records: begun at them, however long the log is.
        few = seen.entries(entries).values("pk")
        pairs = list(
            leaves.filter(leaf_index__gt=place, leaf_index__lte=end, entry_id__in=few).values_list(
                "leaf_index", "entry_id"
            )[: size + 1]
        )
        more = len(pairs) > size
        pairs = pairs[:size]
        rows = entries.in_bulk([entry for _, entry in pairs])
        found = [(index, rows[entry]) for index, entry in pairs if entry in rows]
        return Batch(tuple(found), pairs[-1][0] if more else end, more)
    limit = place + SCANNED
    while place < min(end, limit) and len(found) < size:
        step = list(
            leaves.filter(leaf_index__gt=place, leaf_index__lte=end).values_list("leaf_index", "entry_id")[
                :_STEP
            ]
        )
        if not step:
            break
        rows = {entry.pk: entry for entry in seen.entries(entries.filter(pk__in=[pk for _, pk in step]))}
        for index, pk in step:
            place = index
            if pk in rows:
                found.append((index, rows[pk]))
                if len(found) == size:
                    break
    return Batch(tuple(found), place, place < end)


def not_sealed(user: Any, *, labels: Sequence[str] | None, size: int, using: str) -> list[TransitionLog]:
    """The first entries that are committed, have no leaf yet and may be seen: they get one within seconds."""
    seen = sight(user, using)
    if seen.nothing or size < 1:
        return []
    settled = SealProgress.objects.using(using).values_list("settled_id", flat=True).first() or 0
    leaf = LogLeaf.objects.using(using).filter(entry_id=OuterRef("pk"))
    entries = TransitionLog.objects.using(using).filter(~Exists(leaf), pk__gt=settled).order_by("pk")
    if labels is not None:
        entries = entries.filter(model_label__in=labels)
    return list(seen.entries(entries)[:size])


class _End:
    """Where the tree ends, asked once for all streams of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, int]] = {}

    def of(self, using: str) -> int:
        """The last leaf; -1 where nothing is sealed."""
        with self._lock:
            asked, size = self._known.get(using, (0.0, 0))
            if time.monotonic() - asked > _FRESH:
                size = tree_size(using)
                self._known[using] = time.monotonic(), size
            return size - 1


#: Shared by every stream.
end_of_tree = _End().of
