"""Owns for whom tools are called: a user, an agent, and the run that holds the calls of a day.

Must not know the protocol.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.db import router
from django.db.models import QuerySet
from django.utils import timezone

from fsm_lifecycle.agents import registry
from fsm_lifecycle.agents.profile import Profile
from fsm_lifecycle.agents.run import DONE, OVER, RUNNING
from fsm_lifecycle.models import AgentRun, McpToken

#: How runs and the log call this way in.
SURFACE: Final = "mcp"


@dataclass
class Principal:
    """Who calls: a user through an agent, by a token over HTTP, or without one over standard input and output."""

    user_id: Any
    agent: str
    """The agent's key."""
    token: McpToken | None = None
    _run: AgentRun | None = field(default=None, init=False, repr=False)

    @classmethod
    def of_token(cls, token: McpToken) -> Principal:
        """Who calls with a token."""
        return cls(token.user_id, token.agent or registry.ALL, token)

    @property
    def profile(self) -> Profile:
        """The agent as it is declared now. Raises ``LookupError`` where there is none any more."""
        return registry.get(self.agent)

    def user(self) -> Any:
        """The user, read from the database now; an anonymous one when the account is gone."""
        return get_user_model()._base_manager.filter(pk=self.user_id).first() or AnonymousUser()

    def run(self) -> AgentRun:
        """The run that holds this day's calls: one of each token, one of each process without a token."""
        using = router.db_for_write(AgentRun)
        today = timezone.localdate()
        if self.token is not None:
            rows: QuerySet[AgentRun] = QuerySet(AgentRun, using=using)
            run, _ = rows.get_or_create(token_id=self.token.pk, token_day=today, defaults=self._first())
            return run
        if self._run is None or self._run.token_day != today:
            self.close()
            self._run = AgentRun(token_day=today, **self._first())
            self._run.save(using=using, force_insert=True)
        return self._run

    def close(self) -> None:
        """The calls of a process without a token are over. Those of a token are when its day is."""
        if self._run is not None:
            rows: QuerySet[AgentRun] = QuerySet(AgentRun, using=self._run._state.db)
            rows = rows.filter(pk=self._run.pk).exclude(status__in=OVER)
            rows.update(status=DONE, finished_at=timezone.now())
            self._run = None

    def _first(self) -> dict[str, Any]:
        try:
            lifecycles = self.profile.lifecycles
        except LookupError:  # every call is answered that there is no such agent
            lifecycles = []
        return {
            "agent": self.agent,
            "user_id": self.user().pk,
            "user_key": str(self.user_id),
            "lifecycles": lifecycles,
            "surface": SURFACE,
            # No model is asked, so no worker takes it up: whoever calls is at work.
            "model": "",
            "status": RUNNING,
            "started_at": timezone.now(),
        }
