"""Owns whose runs and proposals a user sees: their own, and all with a permission to look at them.

Must not know how they are shown.
"""

from __future__ import annotations

from typing import Any, Final

from django.db import router
from django.db.models import QuerySet

from fsm_lifecycle.agents import registry
from fsm_lifecycle.agents.approving import may_decide
from fsm_lifecycle.agents.outcomes import model_of, record_of, steps_of
from fsm_lifecycle.agents.profile import Profile
from fsm_lifecycle.agents.proposal import PENDING, Proposal
from fsm_lifecycle.agents.risk import FOUR_EYES
from fsm_lifecycle.agents.run import AgentRun

#: Who has it lets agents act, and sees these pages.
USE_AGENTS: Final = "fsm_lifecycle.use_agents"
#: Who has it sees everybody's runs, with all that was said in them.
VIEW_RUNS: Final = "fsm_lifecycle.view_agentrun"
#: Who has it may stop everybody's runs.
CHANGE_RUNS: Final = "fsm_lifecycle.change_agentrun"
#: Who has it sees every proposal, with its arguments.
VIEW_PROPOSALS: Final = "fsm_lifecycle.view_proposal"

#: So many proposals are looked through for those that somebody may decide.
_LOOKED_THROUGH: Final = 50


def runs_of(user: Any) -> QuerySet[AgentRun]:
    """The runs that a user sees."""
    rows: QuerySet[AgentRun] = QuerySet(AgentRun, using=router.db_for_write(AgentRun))
    return rows if user.has_perm(VIEW_RUNS) else rows.filter(user_key=str(user.pk))


def is_own(run: AgentRun, user: Any) -> bool:
    """Whether the run acts for this user."""
    return str(run.user_key) == str(user.pk)


def may_stop(run: AgentRun, user: Any) -> bool:
    """Whether a user may press stop: whose run it is, and who may stop all of them."""
    return is_own(run, user) or bool(user.has_perm(CHANGE_RUNS))


def sees_arguments(proposal: Proposal, user: Any) -> bool:
    """Whether a user sees what exactly is proposed: who asked, who may decide it, and who may look at all of them."""
    return is_own(proposal.run, user) or bool(user.has_perm(VIEW_PROPOSALS)) or may_decide(proposal, user)


def sees(proposal: Proposal, user: Any) -> bool:
    """Whether a user sees that there is this proposal: also who may see every record that it is about."""
    if is_own(proposal.run, user) or user.has_perm(VIEW_PROPOSALS):
        return True
    model = model_of(proposal)
    keys = {step.object_pk for step in steps_of(proposal)}
    return model is not None and all(record_of(model, key, user) is not None for key in keys)


def proposals() -> QuerySet[Proposal]:
    """Every proposal, each with its run."""
    rows: QuerySet[Proposal] = QuerySet(Proposal, using=router.db_for_write(Proposal))
    return rows.select_related("run", "decided_by")


def pending_for(user: Any, most: int = 20) -> list[Proposal]:
    """The newest proposals that wait, and that the user has asked for or may decide."""
    waiting = proposals().filter(status=PENDING).order_by("-pk")[:_LOOKED_THROUGH]
    found = [
        one for one in waiting if not one.is_expired and (is_own(one.run, user) or may_decide(one, user))
    ]
    return found[:most]


def why_not(proposal: Proposal, user: Any) -> list[str]:
    """Why a user may not approve a proposal; empty where they may."""
    if proposal.mode == FOUR_EYES and is_own(proposal.run, user):
        return ["It was asked for in your name, and takes another person."]
    model = model_of(proposal)
    found: list[str] = []
    for step in steps_of(proposal) if model is not None else []:
        record = record_of(model, step.object_pk, user)
        if record is None:
            return ["You may not see every record that it is about."]
        denials = record.decide(step.event, user).denials
        if denials and denials[0].code in ("access_denied", "four_eyes"):
            found.append(str(denials[0].reason))
    return list(dict.fromkeys(found))


def agents_of(label: str) -> list[Profile]:
    """The agents that work on a lifecycle: the declared ones, or the one it has by default."""
    found = [one for one in registry.profiles() if label in one.lifecycles]
    return found or [registry.get(label)]


def agent_of(label: str, key: str = "") -> Profile | None:
    """The agent of this key that works on a lifecycle; without a key the first. ``None`` where there is none."""
    return next((one for one in agents_of(label) if not key or one.key == key), None)


def named(key: str) -> str:
    """What people call an agent, also one that the code has no more."""
    try:
        return registry.get(key).label
    except LookupError:
        return key
