"""Why a run ends or waits: the codes of ``AgentRun.stop_reason``, and what each means to people.

Must not know who finds them out.
"""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext_lazy as _

from fsm_lifecycle.agents.run import DONE, FAILED, STOPPED

#: What ``stop_reason`` says, in words.
REASONS: Final = {
    "end_turn": _("It has answered."),
    "approval": _("It waits for a person to decide."),
    "turns": _("It has asked the model as often as its budget allows."),
    "tool_calls": _("It has called as many tools as its budget allows."),
    "tokens": _("It has used the tokens of its budget."),
    "cost": _("It has used the money of its budget."),
    "seconds": _("It has worked as long as its budget allows."),
    "daily_tokens": _("The tokens that this user’s agents may use in a day are used up."),
    "disabled": _("Agents are switched off."),
    "user": _("Somebody stopped it."),
    "user_gone": _("The account for which it acted is deactivated or gone."),
    "max_tokens": _("The answer was longer than a model may answer at once."),
    "refusal": _("The model refused to answer."),
    "context": _("The conversation is longer than the model can read."),
    "no_price": _("Its budget is in money, and AGENT_PRICES has no price for its model."),
    "provider_missing": _("Its model cannot be used as things are."),
    "model_failed": _("The model did not answer."),
    "unknown_agent": _("The code has no such agent any more."),
    "error": _("Something went wrong in this program. Its log file says what."),
}


class Ending(Exception):
    """The run ends here. ``note`` is for people, and is our own words."""

    def __init__(self, status: str, reason: str, note: str = "") -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.note = note


class Waiting(Exception):
    """A tool call waits for a person."""


def done(reason: str = "end_turn") -> Ending:
    """The model has answered."""
    return Ending(DONE, reason)


def stopped(reason: str) -> Ending:
    """It was stopped before it had answered, as it should be."""
    return Ending(STOPPED, reason)


def failed(reason: str, note: str = "") -> Ending:
    """It cannot go on."""
    return Ending(FAILED, reason, note)
