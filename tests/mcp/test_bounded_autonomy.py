"""What a program can do at all: every sample lifecycle, state, event and kind of user, over both ways in.

What the table does not allow is refused, changes nothing, and is on record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from mcp import Client

from fsm_lifecycle.agents import registry
from fsm_lifecycle.mcp.principal import Principal
from fsm_lifecycle.mcp.server import server_for
from fsm_lifecycle.models import LifecycleModel, RefusedAttempt
from tests.agents.core.desk import declared, refusals, state_of
from tests.agents.core.test_bounded_autonomy import MODELS, Asker, askers, expected, given, made
from tests.mcp.conftest import Wire

pytestmark = [pytest.mark.once, pytest.mark.slow, pytest.mark.django_db]

Say = Callable[[str, dict[str, Any]], dict[str, Any]]


@contextmanager
def over_http(agent: str, user: Any) -> Iterator[Say]:
    """Calls through ``/mcp``, with a token."""
    from fsm_lifecycle.mcp import create_token

    wire = Wire(create_token(user, agent))
    yield wire.call


@contextmanager
def over_streams(agent: str, user: Any) -> Iterator[Say]:
    """Calls through the server that standard input and output have, with the SDK's client beside it in memory."""
    principal = Principal(user.pk, agent)
    server = server_for(principal)

    async def asked(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        async with Client(server) as client:
            result = await client.call_tool(name, arguments)
        answer: dict[str, Any] = result.structured_content
        assert result.is_error is (answer["success"] is not True)
        return answer

    yield async_to_sync(asked)
    principal.close()


WAYS = {"http": over_http, "stdio": over_streams}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_what_the_table_does_not_allow_is_refused_and_on_record(model: Any, way: str) -> None:
    free = dict.fromkeys(model.lifecycle.events, "never")
    tried = allowed = 0
    with declared(lifecycle=model, approval=free) as agent:
        profile = registry.of(agent)
        tools = profile.names.events(0)
        for asker in askers(model):
            if not asker.active and way == "http":
                continue  # no token of theirs is let in: see test_hostile
            with WAYS[way](profile.key, asker.user) as say:
                for state in model.lifecycle.states:
                    tried += _denied(model, asker, state, tools, say)
                allowed += _allowed(model, asker, tools, say, 10_000 + 100 * tried)
    assert tried > 40
    assert allowed > 5


def _denied(model: type[LifecycleModel], asker: Asker, state: str, tools: dict[str, str], say: Say) -> int:
    """Every event that is not for this user in this state; how many there are."""
    record = made(model, state, 1 + RefusedAttempt.objects.count())
    wrong = {
        name: code
        for name, event in model.lifecycle.events.items()
        if (code := expected(asker, model, state, event))
    }
    for name, code in wrong.items():
        arguments = given(model.lifecycle.events[name])
        answer = say(tools[name], {"id": str(record.pk), "expected_state": state, **arguments})
        assert (answer["success"], answer["code"]) == (False, code), (asker.name, state, name)
    assert state_of(record) == state
    assert record.log.count() == 1
    on_record = refusals(record)
    assert [name for name, _ in on_record] == list(wrong)
    assert set(RefusedAttempt.objects.filter(object_pk=str(record.pk)).values_list("surface")) <= {("mcp",)}
    return len(wrong)


def _allowed(model: type[LifecycleModel], asker: Asker, tools: dict[str, str], say: Say, number: int) -> int:
    """Each event once that is for this user, from the first state it starts from; how many there are."""
    found = 0
    for name, event in model.lifecycle.events.items():
        state = str(event.sources[0])
        if expected(asker, model, state, event):
            continue
        found += 1
        record = made(model, state, number + found)
        answer = say(tools[name], {"id": str(record.pk), "expected_state": state, **given(event)})
        assert answer["success"], (asker.name, state, name, answer)
        assert state_of(record) in map(str, event.targets)
        entry = record.log.last()
        assert (entry.event, entry.actor_kind, entry.actor_id) == (name, "agent", str(asker.user.pk))
    return found
