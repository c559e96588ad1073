"""Owns the page of all agents: what each is, what its runs have used up, what waits for a person, the runs themselves.

Must not know what was said in a run.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any, Final

from django.db.models import Count, F, Sum
from django.utils import timezone

from fsm_lifecycle import conf
from fsm_lifecycle.admin.agents import whose
from fsm_lifecycle.admin.agents.drawing import ask_context
from fsm_lifecycle.admin.agents.facts import facts
from fsm_lifecycle.admin.agents.model_of import Model, model_of
from fsm_lifecycle.admin.agents.saying import SURFACES, status_of, titled
from fsm_lifecycle.admin.section.keyset import slice_of
from fsm_lifecycle.admin.section.label import model_of as lifecycle_of
from fsm_lifecycle.admin.section.log_filter import name_of
from fsm_lifecycle.admin.section.page import Page
from fsm_lifecycle.agents import registry
from fsm_lifecycle.agents.profile import Profile
from fsm_lifecycle.agents.run import OVER, AgentRun
from fsm_lifecycle.presentation.people import full_names

_DAYS: Final = 30
_SIZE: Final = 20


@dataclass(frozen=True, slots=True)
class Listed:
    """One agent."""

    profile: Profile
    model: Model
    places: tuple[tuple[str, str], ...]
    """Its lifecycles, each with the address of its explorer."""
    chat_url: str
    runs: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Row:
    """One run."""

    run: AgentRun
    url: str
    title: str
    agent: str
    who: str
    status: str
    surface: str


class AgentsPage(Page):
    """All agents."""

    name = "agents"
    route = "agents/"
    permission = whose.USE_AGENTS
    title = "Agents"
    tab = "Agents"
    template_name = "admin/fsm_lifecycle/section/agents/agents.html"
    http_method_names = ["get", "head", "options"]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        user = self.request.user
        seen = whose.runs_of(user)
        chosen = self.request.GET.get("agent", "")
        rows = seen.filter(agent=chosen) if chosen else seen
        found = slice_of(rows, self.request.GET, time="created_at", size=_SIZE)
        today = seen.filter(created_at__gte=_midnight()).aggregate(
            runs=Count("pk"), tokens=Sum(F("input_tokens") + F("output_tokens")), cost=Sum("cost")
        )
        waiting = [facts(one, user, self._site) for one in whose.pending_for(user)]
        return super().get_context_data(
            **{
                "enabled": conf.agents_enabled(),
                "agents": self._agents(seen),
                "all_runs": user.has_perm(whose.VIEW_RUNS),
                "today": today,
                "daily": conf.agent_user_daily_tokens(),
                "at_work": seen.exclude(status__in=OVER).count(),
                "waiting": [ask_context(one, self._site, user) for one in waiting],
                "slice": found,
                "runs": _rows(self, found.rows),
                "chosen": chosen,
                "chosen_label": whose.named(chosen) if chosen else "",
                "days": _DAYS,
                **kwargs,
            }
        )

    def _agents(self, seen: Any) -> list[Listed]:
        since = timezone.now() - timedelta(days=_DAYS)
        counted = {
            one["agent"]: one
            for one in seen.filter(created_at__gte=since)
            .order_by()
            .values("agent")
            .annotate(runs=Count("pk"), tokens=Sum(F("input_tokens") + F("output_tokens")))
        }
        return [self._listed(one, counted.get(one.key, {})) for one in registry.profiles()]

    def _listed(self, profile: Profile, counted: dict[str, Any]) -> Listed:
        query = f"?agent={profile.key}"
        return Listed(
            profile=profile,
            model=model_of(profile),
            places=tuple(
                (name_of(lifecycle_of(label)), f"{self.url('explorer', label=label)}{query}")
                for label in profile.lifecycles
            ),
            chat_url=f"{self.url('chat', label=profile.lifecycles[0])}{query}" if profile.lifecycles else "",
            runs=counted.get("runs", 0),
            tokens=counted.get("tokens") or 0,
        )


def _rows(page: Page, runs: list[AgentRun]) -> list[Row]:
    names = full_names({run.user_key for run in runs})
    labels = {key: whose.named(key) for key in {run.agent for run in runs}}
    mine = str(page.request.user.pk)
    return [
        Row(
            run=run,
            url=page.url("run", pk=run.pk),
            title=titled(run.prompt) if run.model else "Tools called directly",
            agent=labels[run.agent],
            who="you" if run.user_key == mine else names.get(run.user_key, f"person {run.user_key}"),
            status=status_of(run),
            surface=SURFACES.get(run.surface, str(run.surface)),
        )
        for run in runs
    ]


def _midnight() -> datetime:
    return timezone.make_aware(datetime.combine(timezone.localdate(), time.min))
