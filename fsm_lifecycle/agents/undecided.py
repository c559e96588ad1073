"""Owns why a proposal could not be decided, one exception each. Must not know how it is decided."""

from __future__ import annotations

from fsm_lifecycle.agents.proposal import Proposal
from fsm_lifecycle.exceptions import LifecycleError, StaleState


class ProposalDecided(LifecycleError):
    """Somebody has decided already. ``proposal`` says who and how."""

    code = "already_decided"
    proposal: Proposal


class ProposalExpired(LifecycleError):
    """The time to decide is over."""

    code = "expired"


class ProposalStale(StaleState):
    """The record, the table or the run is no longer what the agent saw. Nothing was done."""

    code = "stale_state"


class ProposalFailed(LifecycleError):
    """Carrying it out failed in the event's own code. Nothing was changed."""

    code = "effect_failed"
