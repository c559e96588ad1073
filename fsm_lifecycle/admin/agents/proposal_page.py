"""Owns the page of a proposal: what is asked for, by the system's own words, and the person's yes or no.

GET shows. POST approves or declines. Must not know how a proposal is carried out.
"""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase

from fsm_lifecycle.admin.agents import whose
from fsm_lifecycle.admin.agents.answering import as_json, wants_json
from fsm_lifecycle.admin.agents.conversation import SURFACE
from fsm_lifecycle.admin.agents.drawing import ask_context
from fsm_lifecycle.admin.agents.facts import facts
from fsm_lifecycle.admin.agents.saying import SURFACES
from fsm_lifecycle.admin.section.page import Page
from fsm_lifecycle.agents.proposal import PENDING, Proposal
from fsm_lifecycle.agents.undecided import ProposalDecided, ProposalExpired, ProposalFailed, ProposalStale
from fsm_lifecycle.exceptions import AccessDenied, InvalidArguments, LifecycleError, StaleState

#: Characters of a reason.
_LONGEST = 2000


class ProposalPage(Page):
    """One proposal."""

    name = "proposal"
    route = "proposals/<int:pk>/"
    permission = whose.USE_AGENTS
    title = "Proposal"
    under = "agents"
    template_name = "admin/fsm_lifecycle/section/agents/proposal.html"
    http_method_names = ["get", "head", "post", "options"]

    def _proposal(self) -> Proposal:
        pk = self.kwargs["pk"]
        found = whose.proposals().filter(pk=pk).first() if pk < 2**63 else None
        if found is None or not whose.sees(found, self.request.user):
            raise Http404("There is no such proposal, or you may not see it.")
        return found

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Decide."""
        proposal, do = self._proposal(), request.POST.get("do", "")
        try:
            if do == "approve":
                proposal.approve(by=request.user, digest=request.POST.get("digest", ""))
            elif do == "decline":
                reason = request.POST.get("reason", "").replace("\0", "")[:_LONGEST]
                proposal.decline(by=request.user, reason=reason)
            else:
                return self._refuse("Say what to do: approve or decline.", 400)
        except LifecycleError as error:
            return self._refuse(*_why_not(error))
        if wants_json(request):
            return as_json()
        told = facts(self._proposal(), request.user, self._site)
        what = "was approved and is done" if do == "approve" else "was declined. Nothing was changed"
        messages.success(request, f"{told.title} {what}.")
        return HttpResponseRedirect(self._back(proposal) or request.path)

    def _refuse(self, said: str, status: int) -> HttpResponseBase:
        if wants_json(self.request):
            return as_json(said, status=status)
        return self.render_to_response(self.get_context_data(said=said, **self.kwargs), status=status)

    def _back(self, proposal: Proposal) -> str:
        """The conversation that asked, where the decision was made there."""
        run = proposal.run
        own = whose.is_own(run, self.request.user) and run.surface == SURFACE and run.lifecycles
        if self.request.POST.get("back") != "chat" or not own:
            return ""
        address = self.url("conversation", label=run.lifecycles[0], conversation=run.conversation)
        return f"{address}#lc-end"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        proposal, user = self._proposal(), self.request.user
        told, run = facts(proposal, user, self._site), proposal.run
        conversation = ""
        if whose.is_own(run, user) and run.surface == SURFACE and run.lifecycles:
            conversation = self.url("conversation", label=run.lifecycles[0], conversation=run.conversation)
        return super().get_context_data(
            **{
                **ask_context(told, self._site, user),
                "title": told.title,
                "surface": SURFACES.get(run.surface, run.surface),
                "conversation_url": conversation,
                "run_url": self.url("run", pk=run.pk) if whose.runs_of(user).filter(pk=run.pk) else "",
                "denied": _denied(proposal, user) if told.open and not told.may_decide else [],
                "said": "",
                "reason": self.request.POST.get("reason", ""),
                **kwargs,
            }
        )


def _why_not(error: LifecycleError) -> tuple[str, int]:
    """Why it was not decided, and the status that says so."""
    decision = error.decision
    if isinstance(error, AccessDenied):
        return f"{error} Nothing was changed.", 403
    if isinstance(error, ProposalFailed):
        return "It failed in the event’s own code. Nothing was changed. The server’s log has the error.", 409
    if isinstance(error, InvalidArguments) and "reason" in error.errors:
        return "Say why. The agent is told, and can do better.", 400
    if isinstance(error, ProposalDecided | ProposalExpired | ProposalStale | StaleState):
        return str(error), 409
    if decision is not None and decision.denials:
        return " ".join([*dict.fromkeys(one.reason for one in decision.denials), "Nothing was changed."]), 409
    return str(error), 409


def _denied(proposal: Proposal, user: Any) -> list[str]:
    """Why a user may not decide it."""
    if proposal.status != PENDING:
        return []
    return whose.why_not(proposal, user)
