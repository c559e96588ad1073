"""Owns the explorer of a lifecycle's agent: its tools, prompt, ceiling, what needs a person; and the tester.

The tester calls any tool as its user, with no model: one run for each call, on record like any other. Must not know
what a tool does.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from django.db import router
from django.http import Http404, HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.utils import timezone

from fsm_lifecycle.admin.agents import bars, limits, reaching, tools, whose
from fsm_lifecycle.admin.agents.drawing import Reader, threads_of
from fsm_lifecycle.admin.agents.model_of import model_of
from fsm_lifecycle.admin.agents.thread import Piece
from fsm_lifecycle.admin.agents.trying import PREFIX, TryingForm
from fsm_lifecycle.admin.section.label import model_of as lifecycle_of
from fsm_lifecycle.admin.section.links import allowed_url
from fsm_lifecycle.admin.section.log_filter import name_of
from fsm_lifecycle.admin.section.page import Page
from fsm_lifecycle.agents.catalogue import catalogue
from fsm_lifecycle.agents.dispatching import dispatch
from fsm_lifecycle.agents.profile import Profile
from fsm_lifecycle.agents.run import DONE, AgentRun

SURFACE = "tester"


class ExplorerPage(Page):
    """The agent of one lifecycle."""

    name = "explorer"
    route = "<lifecycle_label:label>/agent/"
    permission = whose.USE_AGENTS
    title = "Agent"
    under = "agents"
    template_name = "admin/fsm_lifecycle/section/agents/explorer.html"
    http_method_names = ["get", "head", "post", "options"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if self.allows(request.user):
            label = str(kwargs["label"])
            self._model = lifecycle_of(label)
            profile = whose.agent_of(label, request.GET.get("agent", ""))
            if profile is None:
                raise Http404("No such agent works on this lifecycle.")
            self._profile: Profile = profile
            self._trouble = ""
        return super().dispatch(request, *args, **kwargs)

    # The tester

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Call a tool as oneself, and show the answer on a page that calls nothing."""
        name = request.POST.get("tool", "")[:200]
        if limits.too_many(request.user, SURFACE):
            return self._refuse("That is a lot in one minute. Wait a little and call it again.", 429)
        form = self._form(name, request.POST)
        try:
            arguments = form.arguments() if form is not None else {}
        except ValueError as error:
            return self._refuse(f"{error} Nothing was called.", 400)
        run = called(self._profile, name, arguments, request.user)
        query = urlencode({"agent": self._profile.key, "tool": name, "run": run.pk})
        return HttpResponseRedirect(f"{request.path}?{query}#answer")

    def _refuse(self, said: str, status: int) -> HttpResponseBase:
        self._trouble = said
        return self.render_to_response(self.get_context_data(**self.kwargs), status=status)

    def _form(self, name: str, data: Any = None) -> TryingForm | None:
        schema = tools.schema_named(self._profile, name)
        if schema is None:
            return None
        return TryingForm(schema, tools.states_of(self._profile, name), data)

    def _answer(self) -> tuple[AgentRun, Piece] | None:
        """The call that the address names, if it is one of the user's own."""
        text = self.request.GET.get("run", "")
        if not (text.isascii() and text.isdigit() and len(text) < 19):
            return None
        mine = whose.runs_of(self.request.user).filter(
            user_key=str(self.request.user.pk), surface=SURFACE, pk=int(text), agent=self._profile.key
        )
        run = mine.first()
        if run is None:
            return None
        piece = next((one for one in threads_of([run])[0].pieces.values() if one.name), None)
        return None if piece is None else (run, piece)

    # Showing

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        request, profile, label = self.request, self._profile, str(self.kwargs["label"])
        offered = catalogue(profile, request.user)
        names = [tool.name for tool in offered.tools]
        tool = request.POST.get("tool") or request.GET.get("tool") or (names[0] if names else "")
        found = self._answer() if request.method != "POST" else None
        typed = request.POST if request.method == "POST" else _typed(found[1]) if found else None
        reader = Reader(self._site, request.user, "", back=False)
        context: dict[str, Any] = {
            "title": profile.label,
            "profile": profile,
            "agents": whose.agents_of(label),
            "tools": [tools.shown(profile, one) for one in offered.tools],
            "others": sorted(tools.others(profile, offered)),
            "system": offered.system,
            "ceilings": reaching.ceilings(profile, request.user),
            "needs": reaching.needs(profile, request.user),
            "model": model_of(profile),
            "budget": bars.in_words(profile.budget),
            "several": len(profile.scopes) > 1,
            "tool": tool,
            "form": self._form(tool, typed),
            "trouble": self._trouble,
            "chat_url": f"{self.url('chat', label=label)}?agent={profile.key}",
            "lifecycle_url": allowed_url(self, "lifecycle", label=label),
            "lifecycle_name": name_of(self._model),
        }
        if found is not None:
            run, piece = found
            context |= {
                "answer": piece,
                "run": run,
                "run_url": self.url("run", pk=run.pk),
                "proposal_url": self.url("proposal", pk=piece.proposal) if piece.proposal else "",
                "answer_entry": next(
                    (
                        f"{self.url('log')}{key}/"
                        for hash_, key in reader.entries([piece]).items()
                        if hash_ == piece.entry
                    ),
                    "",
                ),
            }
        return super().get_context_data(**context, **kwargs)


def called(profile: Profile, name: str, arguments: dict[str, Any], user: Any) -> AgentRun:
    """Call one tool as a user, without a model. The run holds the call and its answer, or the proposal it became."""
    now, using = timezone.now(), router.db_for_write(AgentRun)
    # Nobody works on it, so it is over from its beginning; a proposal that it makes is decided as any other.
    run = AgentRun(
        agent=profile.key,
        user_id=user.pk,
        user_key=str(user.pk),
        lifecycles=profile.lifecycles,
        surface=SURFACE,
        status=DONE,
        created_at=now,
        started_at=now,
        finished_at=now,
    )
    run.save(using=using, force_insert=True)
    dispatch(run, name, arguments, "1")
    return run


def _typed(piece: Piece) -> dict[str, str] | None:
    """The arguments of a call as the tester's form takes them, so that the next one begins there."""
    try:
        given = json.loads(piece.arguments or "{}")
    except ValueError:
        return None
    return {
        f"{PREFIX}{name}": value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for name, value in given.items()
    }
