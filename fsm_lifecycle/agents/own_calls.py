"""Owns how an agent's own tool is called: arguments as its signature says, the agent as the only actor there is.

Whatever the tool fires is decided by the agent's policy, whoever it names. Must not know how a call is recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connections
from django.db.models import Model, QuerySet

from fsm_lifecycle.access.actors import AgentActor
from fsm_lifecycle.access.codenames import concrete
from fsm_lifecycle.access.current import in_tool_of
from fsm_lifecycle.agents import signatures
from fsm_lifecycle.agents.answers import NOT_FOUND, Answer, Refused, refusal, success
from fsm_lifecycle.agents.call import Call
from fsm_lifecycle.agents.fields import NOTE, json_value, shown
from fsm_lifecycle.agents.own_tool import OwnTool
from fsm_lifecycle.agents.profile import Scope

#: So many rows of a queryset that a tool returns are shown.
MOST = 100


def call_own(call: Call, own: OwnTool) -> Answer:
    """Call an agent's own tool. What it raises goes on to the caller, who takes everything back."""
    call.check(own.schema)
    given = {}
    for name, value in call.arguments.items():
        try:
            given[name] = signatures.read(own.kinds[name], value, lambda kind, id_: _load(call, kind, id_))
        except signatures.Unreadable as error:
            raise Refused(refusal("invalid_arguments", [f"{name}: {error}"])) from None
    call.run.user = call.user  # as it is now: a run at work may have read it long ago
    with _acting_alone(call.actor):
        result = own.function(call.profile.owner_of(own), call.run, **given)
        return success(note=NOTE, untrusted=_plain(call, result))


@contextmanager
def _acting_alone(agent: AgentActor) -> Iterator[None]:
    """Inside, nobody but the agent acts, nor in what is left for after a commit (``transaction.on_commit``)."""
    already = {one.alias: len(one.run_on_commit) for one in connections.all(initialized_only=True)}
    try:
        with in_tool_of(agent):
            yield
    finally:
        for connection in connections.all(initialized_only=True):
            waiting: list[Any] = connection.run_on_commit
            start = already.get(connection.alias, 0)
            waiting[start:] = [(sids, _later(hook, agent), robust) for sids, hook, robust in waiting[start:]]


def _later(hook: Callable[[], object], agent: AgentActor) -> Callable[[], None]:
    def as_the_agent() -> None:
        with in_tool_of(agent):
            hook()

    return as_the_agent


def _load(call: Call, kind: Any, id_: Any) -> Any:
    scope = call.profile.scope_of(concrete(kind)._meta.label_lower) or _bare(kind)
    return call.record(scope, id_)


def _bare(model: Any) -> Scope:
    """The scope of a model that is none of the agent's: its records' text may be read, and nothing more."""
    return Scope(model, (), (), shows_label=True, approval={})


def _plain(call: Call, value: Any) -> Any:
    """What a tool returns, as JSON. Records are shown as every tool shows them, and only those the user may see."""
    if isinstance(value, QuerySet):
        return [_plain(call, one) for one in value[:MOST]]
    if isinstance(value, Model):
        if not signatures.is_record(type(value)):
            raise TypeError(
                f"An own tool returned a {type(value).__name__}; return what the model may read of it."
            )
        scope = call.profile.scope_of(concrete(type(value))._meta.label_lower) or _bare(type(value))
        found = call.find(scope, value.pk)
        if found is None:
            raise Refused(refusal("not_found", [NOT_FOUND]))
        call.see(scope, [found])
        return shown(scope, found)
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(call, one) for one in value]
    if value is not None and not isinstance(value, bool):
        call.see_any()
    if isinstance(value, dict):
        return {str(key): _plain(call, one) for key, one in value.items()}
    return json_value(value)
