"""Which entries were there already when an endpoint was switched on: it is told of all others.

An entry has its key before its transaction commits, so one with a lower key than the newest may be later than it. Must
not know how entries are found.
"""

from __future__ import annotations

from typing import Any, Final

from fsm_lifecycle.ledger.following import begin, end_of_log
from fsm_lifecycle.ledger.log_cursor import LogCursor

#: The follower of the log that makes deliveries.
FOLLOWER: Final = "webhooks"


def mark(using: str, *, first: bool) -> dict[str, Any]:
    """The log as this transaction sees it: its highest key, and the keys below that may still come.

    ``first``: there is no other endpoint, so nobody needs what the follower has not read yet.
    """
    if first:
        # By key: another first endpoint may put a new place where the old one was.
        stale = LogCursor.objects.using(using).filter(name=FOLLOWER).values_list("pk", flat=True).first()
        if stale is not None:
            LogCursor.objects.using(using).filter(pk=stale).delete()
    begin(using, FOLLOWER)
    horizon = end_of_log(using)
    missing = [list(gap) for one in horizon.generations for gap in one.gaps or ()]
    return {"top": horizon.top, "missing": missing}


def was_there(marked: dict[str, Any] | None, key: int) -> bool:
    """Whether an entry was there when the mark was made."""
    if not marked or key > marked["top"]:
        return False
    return not any(first <= key <= last for first, last in marked["missing"])
