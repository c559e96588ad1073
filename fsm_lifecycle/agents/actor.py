"""Owns ``Agent(run)``: the actor under which a run's tools work. Must not know what they do."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser

from fsm_lifecycle.access.actors import AgentActor, Approval, Mandate
from fsm_lifecycle.agents import registry
from fsm_lifecycle.agents.run import AgentRun


class Agent(AgentActor):
    """An agent at work: it acts for the run's user, with that user's rights of this moment and its own mandate.

    An agent that is not declared any more, or whose user is gone, may do nothing.
    """

    __slots__ = ()

    def __init__(
        self, run: AgentRun, *, call: str = "", user: Any = None, approval: Approval | None = None
    ) -> None:
        super().__init__(
            name=run.agent,
            user=user if user is not None else user_of(run),
            mandates=_mandates(run),
            run=told_of(run, call),
            approval=approval,
        )


def as_if_approved(run: AgentRun, *, call: str = "", user: Any = None) -> AgentActor:
    """The same actor for asking what would be if a person approved. Never to fire with."""
    mandates = {label: Mandate(mandate.events) for label, mandate in _mandates(run).items()}
    return AgentActor(
        run.agent, user if user is not None else user_of(run), mandates=mandates, run=told_of(run, call)
    )


def user_of(run: AgentRun) -> Any:
    """The run's user, read from the database now; an anonymous one, who may do nothing, when the account is gone."""
    model = get_user_model()
    if run.user_id is None:
        return AnonymousUser()
    return model._base_manager.filter(pk=run.user_id).first() or AnonymousUser()


def told_of(run: AgentRun, call: str = "") -> dict[str, Any]:
    """What the log's entries say of a run."""
    told = {"id": str(run.pk), "agent": run.agent, "model": run.model, "surface": run.surface, "call": call}
    return {name: value for name, value in told.items() if value}


def _mandates(run: AgentRun) -> dict[str, Mandate]:
    try:
        return dict(registry.get(run.agent).mandates)
    except LookupError:
        return {}
