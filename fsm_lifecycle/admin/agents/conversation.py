"""Owns which conversations somebody has with an agent, and the runs of one. Must not know how they are shown."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import Max, Min

from fsm_lifecycle.admin.agents.saying import status_of, titled
from fsm_lifecycle.admin.agents.whose import runs_of
from fsm_lifecycle.agents.run import AgentRun

SURFACE: Final = "chat"
#: So many conversations are listed, and so many of the newest runs of one are shown.
LISTED: Final = 15
SHOWN: Final = 30


@dataclass(frozen=True, slots=True)
class Past:
    """One conversation in the list."""

    id: uuid.UUID
    title: str
    at: datetime
    status: str


def history(user: Any, agent: str) -> list[Past]:
    """The user's conversations with an agent, the newest first."""
    mine = runs_of(user).filter(user_key=str(user.pk), agent=agent, surface=SURFACE)
    ends = mine.values("conversation").annotate(first=Min("pk"), last=Max("pk")).order_by("-last")[:LISTED]
    found = list(ends)
    runs = mine.in_bulk([key for one in found for key in (one["first"], one["last"])])
    return [
        Past(
            one["conversation"],
            titled(runs[one["first"]].prompt),
            runs[one["last"]].created_at,
            status_of(runs[one["last"]]),
        )
        for one in found
        if one["first"] in runs and one["last"] in runs
    ]


def runs_in(user: Any, conversation: uuid.UUID) -> list[AgentRun]:
    """The newest runs of a conversation of the user's own, oldest first; one more than is shown, where there is one."""
    mine = runs_of(user).filter(user_key=str(user.pk), conversation=conversation, surface=SURFACE)
    return list(mine.select_related("user").order_by("-pk")[: SHOWN + 1])[::-1]
