"""``start``, ``say``, ``stop``, ``execute``: what can be done with a run from outside.

Must not know which surface asks.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import router, transaction
from django.db.models import F, Q
from django.utils import timezone

from fsm_lifecycle import conf
from fsm_lifecycle.access.actors import is_user
from fsm_lifecycle.access.current import refuse_in_tool
from fsm_lifecycle.agents import registry
from fsm_lifecycle.agents.declaring import LifecycleAgent
from fsm_lifecycle.agents.event import record
from fsm_lifecycle.agents.loop.held import Listener
from fsm_lifecycle.agents.message import AgentMessage
from fsm_lifecycle.agents.profile import Profile
from fsm_lifecycle.agents.providers import ProviderMissing, provider_for
from fsm_lifecycle.agents.providers.exact import storable
from fsm_lifecycle.agents.resuming import QUEUE
from fsm_lifecycle.agents.run import OVER, QUEUED, STOPPED, AgentRun
from fsm_lifecycle.dispatch import leases
from fsm_lifecycle.dispatch.waking import offer
from fsm_lifecycle.exceptions import ActorRequired, LifecycleError
from fsm_lifecycle.transactions import writing

__all__ = ["RunNotOver", "execute", "run_to_the_end", "say", "start", "stop"]


class RunNotOver(LifecycleError):
    """The conversation's last run is still at work, or waits for a person."""

    code = "run_not_over"


def start(
    agent: Any,
    prompt: str,
    *,
    user: Any,
    surface: str = "code",
    conversation: uuid.UUID | None = None,
) -> AgentRun:
    """Queue a run and return it. It is worked on in the background, after the open transaction commits.

    ``agent``: a ``LifecycleAgent``, a model with a lifecycle (its agent is meant), or an agent's key or a lifecycle's
    label as text. Raises ``LookupError`` for an agent there is none of, ``ValueError`` for an empty prompt,
    ``ActorRequired`` for somebody who is no saved user, and ``AccessDenied`` in an agent's tool.
    """
    more = {} if conversation is None else {"conversation": conversation}
    run = _made(agent, prompt, user=user, surface=surface, **more)
    offer(QUEUE, run._state.db or "default")
    return run


def say(run: AgentRun, text: str) -> AgentRun:
    """Go on with the conversation of a run: queue a new one, which knows what was said before, and return it.

    Raises ``RunNotOver`` while the conversation's last run is at work or waits.
    """
    using = run._state.db or "default"
    rows = AgentRun.objects.using(using).filter(conversation=run.conversation)
    with writing(using, savepoint=True):
        # Locked, so that of two who go on at once one sees the other's run.
        list(rows.order_by("pk").select_for_update().values_list("pk"))
        busy = rows.exclude(status__in=OVER).order_by("pk").last()
        if busy is not None:
            raise RunNotOver(
                f"Run {busy.pk} of this conversation is {busy.status}. Wait until it is over, or stop it first."
            )
        return start(run.agent, text, user=run.user, surface=run.surface, conversation=run.conversation)


def stop(run: AgentRun, *, by: Any = None) -> None:
    """Press the stop button. What is at work stops before its next step; what nobody works on is over at once.

    ``by``: the user who presses it, for the record. Judges no rights.
    """
    using = run._state.db or "default"
    with transaction.atomic(using=using):
        rows = AgentRun.objects.using(using).filter(pk=run.pk).exclude(status__in=OVER)
        if rows.filter(stop_requested=False).update(stop_requested=True):
            record(run, "stop", {"by": "" if by is None else str(by.pk)})
        now = timezone.now()
        idle = rows.filter(Q(lease_until=None) | Q(lease_until__lte=now))
        over = {"status": STOPPED, "stop_reason": "user", "finished_at": now}
        # Under the next fencing number, so that a worker that was only asleep writes nothing more.
        if idle.update(**over, fence=F("fence") + 1, holder="", lease_until=None):
            record(run, "status", {"status": STOPPED, "stop_reason": "user"})


def execute(run_id: Any, *, using: str | None = None, listen: Listener | None = None) -> AgentRun:
    """Work on one run until it ends or waits, and return it as it is then.

    Where somebody else works on it, or it is over, nothing is done. ``listen`` is told of each event after its commit.
    Raises ``AgentRun.DoesNotExist``, and ``AccessDenied`` in an agent's tool.
    """
    refuse_in_tool("works on no run")
    from fsm_lifecycle.agents.loop.working import work_on

    using = using or router.db_for_write(AgentRun)
    rows = AgentRun.objects.using(using).exclude(status__in=OVER)
    # A run of calls from outside has neither a prompt nor a model. Whoever made the row by hand has given one.
    rows = rows.exclude(model="", prompt="")
    run: AgentRun | None = leases.claim_one(rows, run_id)
    if run is not None:
        with leases.holding([run]):
            work_on(run, listen)
    return AgentRun.objects.using(using).get(pk=run_id)


def run_to_the_end(
    agent: Any,
    prompt: str,
    *,
    user: Any,
    surface: str = "code",
    listen: Listener | None = None,
    stopped: Callable[[], bool] = bool,
) -> AgentRun:
    """Run in this process until it ends, or waits for a person; see ``AgentRun.status``. Raises as ``start`` does.

    ``listen`` is told of each event after its commit; ``stopped`` is asked before each step.
    """
    from fsm_lifecycle.agents.loop.working import work_on

    # Taken before anybody else can see it: no worker is to be first.
    until = timezone.now() + timedelta(seconds=conf.lease_seconds())
    taken = {"holder": secrets.token_hex(16), "fence": 1, "lease_until": until}
    run = _made(agent, prompt, user=user, surface=surface, **taken)
    with leases.holding([run]):
        work_on(run, listen, stopped)
    return AgentRun.objects.using(run._state.db).get(pk=run.pk)


def _made(agent: Any, prompt: str, *, user: Any, surface: str, **more: Any) -> AgentRun:
    refuse_in_tool("starts no run")
    profile = profile_of(agent)
    if not isinstance(prompt, str) or not prompt.strip():
        raise ValueError("Say what the agent is to do: the prompt is empty.")
    if not is_user(user) or user.pk is None:
        raise ActorRequired(f"{user!r} is no saved user. An agent acts for one: pass user=request.user.")
    text = storable(prompt.strip())
    using = router.db_for_write(AgentRun)
    with transaction.atomic(using=using):
        run = AgentRun(
            agent=profile.key,
            user_id=user.pk,
            user_key=str(user.pk),
            lifecycles=profile.lifecycles,
            model=shown(profile.language_model),
            surface=surface,
            prompt=text,
            status=QUEUED,
            **more,
        )
        run.save(using=using, force_insert=True)
        message = AgentMessage(run=run, seq=1, role="user", content=[{"type": "text", "text": text}])
        message.save(using=using, force_insert=True)
        record(run, "status", {"status": QUEUED})
    return run


def shown(model: str) -> str:
    """A provider's name as rows keep it. What it was given beside it, such as a command's arguments, may be secret."""
    try:
        return provider_for(model).name[:255]
    except ProviderMissing:
        return model.partition("/")[0][:255]


def profile_of(agent: Any) -> Profile:
    """The agent that is meant, by class, model, key or label. Raises ``LookupError``."""
    if isinstance(agent, Profile):
        return agent
    if isinstance(agent, LifecycleAgent):
        agent = type(agent)
    if isinstance(agent, type) and issubclass(agent, LifecycleAgent):
        return registry.of(agent)
    if isinstance(agent, type):
        return registry.of_model(agent)
    return registry.get(str(agent))
