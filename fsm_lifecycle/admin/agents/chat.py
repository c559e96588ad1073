"""Owns the chat with an agent: a conversation, its composer, its budget, and the list of earlier ones.

Everything is a form; the script only saves loading the page anew. Must not know how a run is worked on.
"""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.middleware.csrf import get_token
from django.utils.safestring import mark_safe

from fsm_lifecycle.admin.agents import limits, whose
from fsm_lifecycle.admin.agents.answering import as_json, wants_json
from fsm_lifecycle.admin.agents.bars import bars
from fsm_lifecycle.admin.agents.conversation import SHOWN, SURFACE, history, runs_in
from fsm_lifecycle.admin.agents.drawing import Reader, threads_of
from fsm_lifecycle.admin.agents.model_of import Model, model_of
from fsm_lifecycle.admin.agents.stream import state_of
from fsm_lifecycle.admin.section.label import model_of as lifecycle_of
from fsm_lifecycle.admin.section.links import allowed_url
from fsm_lifecycle.admin.section.page import Page
from fsm_lifecycle.agents.profile import Profile
from fsm_lifecycle.agents.run import AgentRun
from fsm_lifecycle.agents.runs import RunNotOver, say, start, stop


class ChatPage(Page):
    """A new conversation with the agent of a lifecycle."""

    name = "chat"
    route = "<lifecycle_label:label>/agent/chat/"
    permission = whose.USE_AGENTS
    title = "Chat"
    under = "agents"
    template_name = "admin/fsm_lifecycle/section/agents/chat.html"
    http_method_names = ["get", "head", "post", "options"]

    def trail(self) -> list[tuple[str, str]]:
        """Over the agent's own page."""
        label, profile = self.kwargs["label"], self._profile
        return [
            ("Agents", self.url("agents")),
            (profile.label, f"{self.url('explorer', label=label)}?agent={profile.key}"),
        ]

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        self._runs: list[AgentRun] = []
        self._said = ""
        """What is wrong with what was sent."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if self.allows(request.user):
            self._find()
        return super().dispatch(request, *args, **kwargs)

    def _find(self) -> None:
        label = str(self.kwargs["label"])
        lifecycle_of(label)
        conversation = self.kwargs.get("conversation")
        if conversation is not None:
            self._runs = runs_in(self.request.user, conversation)
            if not self._runs:
                raise Http404("There is no such conversation of yours.")
        key = self._runs[-1].agent if self._runs else self.request.GET.get("agent", "")
        profile = whose.agent_of(label, key)
        if profile is None:
            raise Http404("No such agent works on this lifecycle.")
        self._profile = profile

    # Sending

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Send a message, or press stop."""
        if request.POST.get("do") == "stop":
            if self._runs:
                stop(self._runs[-1], by=request.user)
            return self._on(self._runs[-1] if self._runs else None)
        text = request.POST.get("prompt", "").replace("\r\n", "\n").strip()
        refused = self._refused(text)
        if refused:
            return self._refuse(*refused)
        try:
            if self._runs:
                run = say(self._runs[-1], text)
            else:
                run = start(self._profile, text, user=request.user, surface=SURFACE)
        except RunNotOver:
            return self._refuse("The agent is still at work. Wait for it, or stop it first.", 409)
        return self._on(run)

    def _refused(self, text: str) -> tuple[str, int] | None:
        """Why a message is not taken, and the status that says so."""
        model = model_of(self._profile)
        if not model.enabled:
            return "Agents are switched off. Nothing was sent.", 503
        if not model.present:
            return f"{model.name} cannot be asked. {model.where} Nothing was sent.", 503
        if not text:
            return "Write what the agent is to do.", 400
        if len(text) > limits.LONGEST:
            return f"At most {limits.LONGEST:,} characters. These are {len(text):,}.", 400
        if limits.too_many(self.request.user, SURFACE):
            return "That is a lot in one minute. Wait a little and send it again.", 429
        return None

    def _refuse(self, said: str, status: int) -> HttpResponseBase:
        if wants_json(self.request):
            return as_json(said, status=status)
        self._said = said
        return self.render_to_response(self.get_context_data(**self.kwargs), status=status)

    def _on(self, run: AgentRun | None) -> HttpResponseBase:
        """To the conversation, so that a reload sends nothing again."""
        label = self.kwargs["label"]
        if run is None:
            return HttpResponseRedirect(self.url("chat", label=label))
        address = self.url("conversation", label=label, conversation=run.conversation)
        if wants_json(self.request):
            return as_json(go="" if self._runs else address)
        return HttpResponseRedirect(f"{address}#lc-end")

    # Showing

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        request, profile, label = self.request, self._profile, str(self.kwargs["label"])
        reader = Reader(self._site, request.user, get_token(request), back=True)
        shown = self._runs[-SHOWN:]
        threads = threads_of(shown)
        known = reader.entries([piece for one in threads for piece in one.pieces.values()])
        last = shown[-1] if shown else None
        model = model_of(profile)
        place = {"label": label, "conversation": last.conversation} if last is not None else {}
        return super().get_context_data(
            **{
                "title": f"{profile.label}: chat",
                "profile": profile,
                "model": model,
                # Drawn by templates, which escape whatever they are given.
                "pieces": [
                    mark_safe(html)  # noqa: S308
                    for one in threads
                    for html in reader.draw_all(one, known)
                ],
                "earlier": len(self._runs) > SHOWN,
                "after": f"{threads[-1].run.pk}-{threads[-1].seq}" if threads else "",
                "stream_url": self.url("chat_stream", **place) if last is not None else "",
                "state": None if last is None else state_of(last),
                "bars": bars(profile, last),
                "past": [
                    (one, self.url("conversation", label=label, conversation=one.id))
                    for one in history(request.user, profile.key)
                ],
                "conversation": None if last is None else last.conversation,
                "new_url": f"{self.url('chat', label=label)}?agent={profile.key}",
                "explorer_url": f"{self.url('explorer', label=label)}?agent={profile.key}",
                "settings_url": allowed_url(self, "settings"),
                "said": self._said,
                "typed": self._typed(profile),
                "longest": limits.LONGEST,
                "notice": _notice(model),
                **kwargs,
            }
        )

    def _typed(self, profile: Profile) -> str:
        """What stands in the composer: what was refused, or an example that was chosen by its number."""
        if self._said:
            return self.request.POST.get("prompt", "")
        number = self.request.GET.get("example", "")
        if number.isascii() and number.isdigit() and 0 < int(number[:3]) <= len(profile.examples):
            return profile.examples[int(number[:3]) - 1]
        return ""


class ConversationPage(ChatPage):
    """One conversation of one's own."""

    name = "conversation"
    route = "<lifecycle_label:label>/agent/chat/<uuid:conversation>/"


def _notice(model: Model) -> str:
    """Which remark stands above the composer, if one does."""
    if not model.enabled:
        return "disabled"
    if not model.present:
        return "no_key"
    return "scripted" if model.scripted else ""
