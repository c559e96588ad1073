"""Owns how much one person may ask of agents through these pages: how long a message is, and how many in a minute.

Tokens and money are the budgets' and ``AGENT_USER_DAILY_TOKENS``'. Must not know the pages.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from django.utils import timezone

from fsm_lifecycle.admin.agents.whose import runs_of

#: Characters of one message.
LONGEST: Final = 8000
#: Runs that a user may begin in a minute, by surface.
A_MINUTE: Final = {"chat": 12, "tester": 60}


def too_many(user: Any, surface: str) -> bool:
    """Whether the user has begun as many runs in the last minute as they may."""
    since = timezone.now() - timedelta(minutes=1)
    mine = runs_of(user).filter(user_key=str(user.pk), surface=surface, created_at__gte=since)
    return mine.count() >= A_MINUTE[surface]
