"""Owns what a record's page shows beside its panel and history: the path it took, its diagram, how far it is sealed.

Must not know HTML, nor which page it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from fsm_lifecycle import diagrams
from fsm_lifecycle.engine.binding import SEQUENCE
from fsm_lifecycle.models import LogLeaf
from fsm_lifecycle.presentation.badges import Badge, badge
from fsm_lifecycle.presentation.timeline import Item

#: So many transitions of a record are drawn; one that has gone round more often is shown from its newest on.
DRAWN: Final = 60

#: How wide the drawing may be, in pixels, before it runs from top to bottom.
WIDTH: Final = 900

#: Event, source and target of one transition.
Step = tuple[str, str, str]


def steps(record: Any) -> list[Step]:
    """The newest transitions of a record, oldest first."""
    moves = record.log.filter(kind="transition").order_by("-sequence")
    found = moves.values_list("event", "from_state", "to_state")[:DRAWN]
    return [(event or "", source or "", target or "") for event, source, target in reversed(found)]


def path(record: Any, taken: Sequence[Step]) -> list[Badge]:
    """The states that a record has been in, in order."""
    binding = type(record)._lifecycle
    states = (
        [taken[0][1], *(target for _, _, target in taken)] if taken else [getattr(record, binding.state_name)]
    )
    return [badge(binding.table, state) for state in states]


def diagram(record: Any, taken: Sequence[Step], possible: Sequence[str]) -> str:
    """The lifecycle with the path a record took, and the events (by name) that it could take now, as SVG."""
    binding = type(record)._lifecycle
    name = binding.describe(record)
    return diagrams.svg(
        type(record),
        path=list(taken),
        current=getattr(record, binding.state_name),
        possible=list(possible),
        title=f"Path of {name[:1].lower()}{name[1:]}",
        width=WIDTH,
    )


def footer(record: Any, items: Sequence[Item]) -> str:
    """How many entries there are, and how far they are sealed."""
    number = getattr(record, SEQUENCE)
    words = f"{number:,} entr{'y' if number == 1 else 'ies'}. Newest first."
    shown = {item.entry.pk: item.entry.sequence for item in items}
    using = record._state.db or "default"
    sealed = LogLeaf.objects.using(using).filter(entry_id__in=list(shown)).values_list("entry_id", flat=True)
    highest = max((shown[key] for key in sealed), default=0)
    if not shown or not highest:
        return f"{words} Not sealed yet."
    if highest == max(shown.values()):
        return f"{words} All sealed."
    return f"{words} Sealed up to entry {highest:,}."
