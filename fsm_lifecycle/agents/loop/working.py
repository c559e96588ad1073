"""The loop: what comes next is read from the rows, so whoever takes the run up goes on where it was left.

Must not know who started the run, nor in which process it is worked on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from django.db import DatabaseError
from django.utils import timezone

from fsm_lifecycle.agents import registry
from fsm_lifecycle.agents.catalogue import catalogue
from fsm_lifecycle.agents.loop import asking, conversation
from fsm_lifecycle.agents.loop.accounting import Account
from fsm_lifecycle.agents.loop.asking import Finished, Question
from fsm_lifecycle.agents.loop.calling import carry_out
from fsm_lifecycle.agents.loop.ending import Ending, Waiting, failed
from fsm_lifecycle.agents.loop.held import Held, Listener
from fsm_lifecycle.agents.message import AgentMessage
from fsm_lifecycle.agents.prices import price_of
from fsm_lifecycle.agents.profile import Profile
from fsm_lifecycle.agents.providers import Provider, ProviderMissing, provider_for
from fsm_lifecycle.agents.run import AgentRun
from fsm_lifecycle.dispatch import leases
from fsm_lifecycle.dispatch.work import LeaseLost

logger = logging.getLogger("fsm_lifecycle")

#: How often a run may be taken up before it is given up: it seems to kill who works on it.
MOST_STINTS: Final = 200
#: When a run is tried again after the database was away.
_AFTER_FAILURE: Final = timedelta(seconds=15)


def work_on(run: AgentRun, listen: Listener | None = None, stopped: Callable[[], bool] = bool) -> None:
    """Work on a run that was taken under a lease, until it ends, waits, or belongs to another.

    Raises nothing but what the database does: then the run is still to be done.
    """
    held = Held(run, listen, stopped)
    try:
        _go_on(held)
    except (Finished, Waiting):
        pass
    except LeaseLost:
        logger.warning("%s: the lease was lost; another worker goes on.", run)
    except Ending as ending:
        _end(held, ending)
    except DatabaseError:
        leases.settle(run, due_at=timezone.now() + _AFTER_FAILURE)
        raise
    except Exception:
        logger.exception("%s failed.", run)
        _end(held, failed("error"))
    held.tell()


def _end(held: Held, ending: Ending) -> None:
    try:
        held.end(ending)
    except LeaseLost:
        logger.warning("%s: the lease was lost before its end was written.", held.run)


def _go_on(held: Held) -> None:
    run = held.run
    if run.fence > MOST_STINTS:
        raise failed("error", "It was taken up too often without coming to an end.")
    profile, provider = _declared(run)
    held.begin(model=provider.name[:255])
    account = Account(held, profile.budget, price_of(profile.language_model) or price_of(provider.name))
    while True:
        last = held.messages.last()
        if last is not None and last.role == "assistant" and conversation.tool_calls(last.content):
            carry_out(held, account, last)
        else:
            _question(held, account, profile, provider, last).ask()


def _declared(run: AgentRun) -> tuple[Profile, Provider]:
    """The agent as the code declares it now, and its model: never what a row says."""
    try:
        profile = registry.get(run.agent)
    except LookupError as error:
        raise failed("unknown_agent", str(error)) from None
    try:
        return profile, provider_for(profile.language_model)
    except ProviderMissing as missing:
        raise failed("provider_missing", str(missing)) from None


def _question(
    held: Held, account: Account, profile: Profile, provider: Provider, last: AgentMessage | None
) -> Question:
    user = asking.gate(held)
    found = catalogue(profile, user)
    return Question(
        held,
        account,
        provider,
        system=found.system,
        tools=[tool.to_dict() for tool in found.tools],
        seq=(last.seq if last else 0) + 1,
    )
