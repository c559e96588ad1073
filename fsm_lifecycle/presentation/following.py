"""Owns what is said, before an event is fired, of what follows it by itself: webhooks that are told, events that fire.

Must not know HTML.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from fsm_lifecycle.definition import Event, State
from fsm_lifecycle.presentation.by_itself import by_itself_once_moved
from fsm_lifecycle.webhooks.expecting import told_of

_NUMBERS: Final = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine")
#: So many endpoints are named.
_NAMED: Final = 5


def following(event: Event, record: Any, target: State | None, viewer: Any) -> Iterator[tuple[str, str]]:
    """What follows, a sentence each, with its icon. ``target``: where the event leads, where that is known.

    Endpoints are named to those who look after them; everybody else is told how many there are.
    """
    if told := told_of(record, event):
        number = _NUMBERS[len(told)] if len(told) < len(_NUMBERS) else f"{len(told):,}"
        words = f"{number} webhook{' is' if len(told) == 1 else 's are'} told"
        if viewer.has_perm("fsm_lifecycle.manage_webhooks"):
            more = f" and {len(told) - _NAMED} more" if len(told) > _NAMED else ""
            words += f": {', '.join(str(one) for one in told[:_NAMED])}{more}"
        yield f"{words}.", "outside"
    leads_to = (
        target if target is not None else next(iter(event.targets)) if len(event.targets) == 1 else None
    )
    if leads_to is not None:
        for sentence in by_itself_once_moved(record, str(leads_to)):
            yield sentence, "clock"
