"""Owns ``dispatch``: the one way in which a tool is called, whoever calls it.

One call of a run has one effect, however often it is delivered: its answer is written in the transaction of what it
does, under a name that the database keeps unique. Must not know any surface.
"""

from __future__ import annotations

import json
import logging
import random
import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext, suppress
from typing import Any, Final

from django.db import DatabaseError, IntegrityError, connections
from django.db.models import F

from fsm_lifecycle import conf
from fsm_lifecycle.access.current import acting_as, agent_in_tool
from fsm_lifecycle.agents import answers, registry
from fsm_lifecycle.agents.actor import user_of
from fsm_lifecycle.agents.answers import Answer, Refused, refusal
from fsm_lifecycle.agents.call import Call, digest_of, name_of, with_text_ids
from fsm_lifecycle.agents.catalogue import READING
from fsm_lifecycle.agents.event import AgentEvent, AlreadyHappened, record
from fsm_lifecycle.agents.firing import fire_event, target
from fsm_lifecycle.agents.naming import Meant
from fsm_lifecycle.agents.outcomes import expire
from fsm_lifecycle.agents.own_calls import call_own
from fsm_lifecycle.agents.planning import plan_events
from fsm_lifecycle.agents.proposal import Proposal
from fsm_lifecycle.agents.proposing import Waits, waiting
from fsm_lifecycle.agents.providers.exact import NotExact, finite, storable
from fsm_lifecycle.agents.reading import READERS
from fsm_lifecycle.agents.run import FAILED, STOPPED, AgentRun
from fsm_lifecycle.agents.schemas import schema_of
from fsm_lifecycle.agents.seen import see
from fsm_lifecycle.engine.refusals import collecting
from fsm_lifecycle.exceptions import LifecycleError, StaleState
from fsm_lifecycle.transactions import is_busy, writing

logger = logging.getLogger("fsm_lifecycle")

Seen = Iterable[tuple[str, str]]

#: How often a call that another transaction was in the way of is begun anew.
TRIES: Final = 4

#: A call's arguments take at most so many characters of JSON.
LARGEST: Final = 100_000

#: So many calls of a run that may call none are kept: they count against no budget.
MOST_REFUSED: Final = 100


def dispatch(run: AgentRun, name: str, arguments: Any, call_id: str) -> Answer:
    """Call a tool of a run's agent, for the run's user, and return the answer: plain JSON. A refusal raises nothing.

    ``{"success": true, …}``, or ``{"success": false, "code", "reasons", "current_state"}``. The same ``call_id`` again
    gives the first answer. While a person has to decide, the code is ``approval_required`` and ``proposal`` is its key;
    the same call gives the outcome once that is there.

    Counts against the run's budget of tool calls; where that is used up, the code is ``tool_calls``.
    """
    began = time.monotonic()
    call_name = name_of(call_id)
    try:
        finite(arguments)
        exact = isinstance(arguments, dict) and storable(arguments) == arguments
        exact = exact and len(json.dumps(arguments)) <= LARGEST
    except (NotExact, TypeError, ValueError, RecursionError):
        exact = False
    kept = arguments if exact else {}
    digest = digest_of(str(name), kept)
    if (known := _earlier(run, call_name, digest)) is not None:
        return known
    if (stopped := _stopped(run)) is not None:
        return _turned_away(run, call_name, str(name), stopped)
    payload = {"name": str(storable(str(name)))[:200], "arguments": kept, "digest": digest}
    try:
        counted = _begun(run, call_name, payload)
    except AlreadyHappened:
        # It was begun, here or by a worker that died. It goes on under the same keys.
        if (known := _earlier(run, call_name, digest)) is not None:
            return known
    else:
        if not counted:
            answer = refusal("tool_calls", ["The run has called as many tools as its budget allows."])
            return _written(run, call_name, str(name), answer, began)
    if not exact:
        texts = [
            "The arguments are no JSON object that can be kept: too large, too deep, or with strange characters."
        ]
        return _written(run, call_name, str(name), refusal("invalid_arguments", texts), began)
    return _answered(run, str(name), arguments, call_name, began)


def _answered(run: AgentRun, name: str, arguments: dict[str, Any], call_name: str, began: float) -> Answer:
    try:
        profile = registry.get(run.agent)
    except LookupError:
        texts = ["There is no such agent any more."]
        return _written(run, call_name, name, refusal("unknown_tool", texts), began)
    meant = profile.names.meant.get(name)
    if meant is None:
        texts = [f"There is no tool of this name. The tools are: {', '.join(profile.tools)}."]
        return _written(run, call_name, name, refusal("unknown_tool", texts), began)
    if meant.kind != "own":
        arguments = with_text_ids(arguments)
    call = Call(run, profile, user_of(run), name, arguments, call_name)
    with collecting(run.surface), acting_as(call.actor):
        if not (call.user.is_authenticated and call.user.is_active):
            answer = _nobody(call, meant)
            return _written(run, call_name, name, answer, began, call.seen)
        return _carried_out(call, meant, began)


def _carried_out(call: Call, meant: Meant, began: float) -> Answer:
    """Do it and write the answer down, together or not at all; a refusal is written when everything is taken back."""
    nested = connections[call.using].in_atomic_block
    for tries_left in reversed(range(TRIES)):
        try:
            return _once(call, meant, began)
        except Refused as refused:
            answer = refused.answer
        except LifecycleError as error:
            answer = answers.of_error(error)
        except (AlreadyHappened, IntegrityError) as error:
            # Delivered twice at once: the other one was first, and what was done here is taken back.
            if (known := _earlier(call.run, call.id)) is not None:
                return known
            answer = _failed(call, error)
        except DatabaseError as error:
            if is_busy(error) and tries_left and not nested:
                time.sleep(random.uniform(0.005, 0.05))  # noqa: S311 - spreads contenders, no secret
                continue
            answer = answers.of_error(StaleState()) if is_busy(error) else _failed(call, error)
        except Exception as error:
            answer = _failed(call, error)
        break
    return _written(call.run, call.id, call.name, answer, began, call.seen)


def _once(call: Call, meant: Meant, began: float) -> Answer:
    with nullcontext() if meant.kind in READING else writing(call.using, savepoint=True):
        try:
            answer = _act(call, meant)
        except Waits as waits:
            see(call.run, call.seen)
            return waiting(waits.proposal, waits.state)
        return _put_down(call.run, call.id, call.name, answer, began, call.seen)


def _failed(call: Call, error: Exception) -> Answer:
    logger.error("The tool %s of %s failed.", call.name, call.run, exc_info=error)
    return answers.failure()


def _act(call: Call, meant: Meant) -> Answer:
    if meant.kind == "own":
        return call_own(call, next(one for one in call.profile.own_tools if one.name == meant.own))
    scope = call.profile.scopes[meant.place]
    if meant.kind == "fire":
        return fire_event(call, scope, meant.event)
    if meant.kind == "plan":
        return plan_events(call, scope)
    call.check(schema_of(meant.kind, scope))
    return READERS[meant.kind](call, scope)


def _nobody(call: Call, meant: Meant) -> Answer:
    """The user may do nothing at all any more. What was asked of a record is put on record."""
    if meant.kind == "fire":
        scope = call.profile.scopes[meant.place]
        with suppress(Refused):
            target(call, scope, scope.table.events[meant.event], call.arguments.get("id"))
    return refusal("access_denied", ["The account for which this agent acts is deactivated or gone."])


# What was done before, and what may be done at all


def _earlier(run: AgentRun, call: str, digest: str | None = None) -> Answer | None:
    """What this call was answered, or what it waits for; ``None`` where it has come to nothing yet."""
    using = run._state.db or "default"
    rows = AgentEvent.objects.using(using).filter(run_id=run.pk, call=call)
    found = dict(rows.values_list("kind", "payload"))
    if not found:
        return None
    begun = found.get("tool_call", {}).get("digest")
    if digest is not None and begun is not None and begun != digest:
        return refusal("call_conflict", ["This call was made before with another tool or other arguments."])
    if "tool_result" in found:
        answer: Answer | None = found["tool_result"].get("result")
        return answer if answer is not None else refusal("redacted", ["What it was answered was erased."])
    proposal = Proposal.objects.using(using).filter(run_id=run.pk, call=call).first()
    if proposal is None:
        return None
    if proposal.is_expired:
        expire(proposal)
        return _earlier(run, call)
    return waiting(proposal) if proposal.outcome is None else proposal.outcome


def _stopped(run: AgentRun) -> Answer | None:
    """Why no tool may be called now; not kept, so that the same call may be made later."""
    agent = agent_in_tool()
    if agent is not None and (agent.run["id"], agent.name, agent.user.pk) != (
        str(run.pk),
        run.agent,
        run.user_id,
    ):
        return refusal("access_denied", ["An agent’s tool calls the tools of its own run alone."])
    if not conf.agents_enabled():
        return refusal("disabled", ["Agents are switched off."])
    rows = AgentRun.objects.using(run._state.db or "default").filter(pk=run.pk)
    now = rows.values_list("stop_requested", "status").first()
    if now is None or now[0] or now[1] in (STOPPED, FAILED):
        return refusal("stopped", ["The run was stopped."])
    return None


def _turned_away(run: AgentRun, call: str, name: str, answer: Answer) -> Answer:
    """Keep that a call was not let in. It is no result: the call may be made later."""
    payload = {"name": str(storable(name))[:200], "success": False, "code": answer["code"], "result": answer}
    using = run._state.db or "default"
    refused = AgentEvent.objects.using(using).filter(run_id=run.pk, kind="refused").count()
    if refused < MOST_REFUSED and AgentRun.objects.using(using).filter(pk=run.pk).exists():
        with suppress(AlreadyHappened):
            record(run, "refused", payload, call=call)
    return answer


def _begun(run: AgentRun, call: str, payload: dict[str, Any]) -> bool:
    """Count a call and write it down, together: a worker that dies in between counts it neither twice nor not at all.

    False where the budget has no call left. Raises ``AlreadyHappened`` where it was begun before.
    """
    using = run._state.db or "default"
    try:
        most = registry.get(run.agent).budget.tool_calls
    except LookupError:
        most = None
    rows = AgentRun.objects.using(using).filter(pk=run.pk)
    able = rows if most is None else rows.filter(tool_calls__lt=most)

    def begin() -> bool:
        # First, because it locks the run: the event's foreign key would lock it only in part.
        counted = bool(able.update(tool_calls=F("tool_calls") + 1))
        record(run, "tool_call", payload, call=call)
        return counted

    counted = _again(using, begin)
    if counted:
        run.tool_calls += 1
    return counted


def _again(using: str, work: Callable[[], bool]) -> bool:
    """Work in one transaction, begun anew where another one was in the way."""
    nested = connections[using].in_atomic_block
    for tries_left in reversed(range(TRIES)):
        try:
            with writing(using, savepoint=True):
                return work()
        except DatabaseError as error:
            if nested or not tries_left or not is_busy(error):
                raise
            time.sleep(random.uniform(0.005, 0.05))  # noqa: S311 - spreads contenders, no secret
    raise AssertionError("unreachable")  # pragma: no cover


def _written(run: AgentRun, call: str, name: str, answer: Answer, began: float, seen: Seen = ()) -> Answer:
    """Write an answer down by itself; where the call was answered meanwhile, that answer counts."""
    try:
        return _put_down(run, call, name, answer, began, seen)
    except AlreadyHappened:
        return _earlier(run, call) or answer


def _put_down(run: AgentRun, call: str, name: str, answer: Answer, began: float, seen: Seen) -> Answer:
    """Write the answer of a call down, once, and of which records it tells. Raises ``AlreadyHappened``."""
    payload = {
        "name": str(storable(name))[:200],
        "success": answer["success"],
        "code": answer.get("code", ""),
        "result": storable(answer),
        "seconds": round(time.monotonic() - began, 3),
    }
    see(run, seen)
    record(run, "tool_result", payload, call=call)
    kept: Answer = payload["result"]
    return kept
