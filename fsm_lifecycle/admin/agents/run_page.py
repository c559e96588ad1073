"""Owns the page of one run: who asked, what it used up, and everything that happened in it; and its stop button.

Must not know where the run was asked for.
"""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.utils.safestring import mark_safe

from fsm_lifecycle.admin.agents import whose
from fsm_lifecycle.admin.agents.bars import Bar, bars
from fsm_lifecycle.admin.agents.conversation import SURFACE
from fsm_lifecycle.admin.agents.drawing import Reader, person_called, threads_of
from fsm_lifecycle.admin.agents.saying import SURFACES, ended, status_of
from fsm_lifecycle.admin.section.page import Page
from fsm_lifecycle.agents import registry
from fsm_lifecycle.agents.run import DONE, OVER, AgentRun
from fsm_lifecycle.agents.runs import stop


class RunPage(Page):
    """One run of one's own, or of anybody with the permission to look at them."""

    name = "run"
    route = "agents/<int:pk>/"
    permission = whose.USE_AGENTS
    title = "Run"
    under = "agents"
    template_name = "admin/fsm_lifecycle/section/agents/run.html"
    http_method_names = ["get", "head", "post", "options"]

    def _run(self) -> AgentRun:
        pk = self.kwargs["pk"]
        found = whose.runs_of(self.request.user).select_related("user").filter(pk=pk) if pk < 2**63 else None
        run = None if found is None else found.first()
        if run is None:
            raise Http404("There is no such run, or you may not see it.")
        return run

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Press stop."""
        run = self._run()
        if not whose.may_stop(run, request.user):
            raise PermissionDenied
        if request.POST.get("do") == "stop":
            stop(run, by=request.user)
        return HttpResponseRedirect(request.path)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        run, user = self._run(), self.request.user
        reader = Reader(self._site, user, "", back=False)
        thread = threads_of([run])[0]
        own = whose.is_own(run, user)
        conversation = ""
        if own and run.surface == SURFACE and run.lifecycles:
            conversation = self.url("conversation", label=run.lifecycles[0], conversation=run.conversation)
        return super().get_context_data(
            **{
                "title": f"Run {run.pk} of {whose.named(run.agent)}",
                "run": run,
                "agent": whose.named(run.agent),
                "who": "you" if own else (str(run.user) if run.user else f"person {run.user_key}"),
                "status": status_of(run),
                "why": "" if run.status == DONE else ended(run)[1],
                "surface": SURFACES.get(run.surface, run.surface),
                "over": run.status in OVER,
                "may_stop": run.status not in OVER and whose.may_stop(run, user),
                "stopped_by": person_called(thread.stopped_by, user),
                # Drawn by templates, which escape whatever they are given.
                "pieces": [mark_safe(html) for html in reader.draw_all(thread)],  # noqa: S308
                "bars": _bars(run),
                "conversation_url": conversation,
                **kwargs,
            }
        )


def _bars(run: AgentRun) -> list[Bar]:
    try:
        return bars(registry.get(run.agent), run)
    except LookupError:
        return []
