"""What an agent can do through the chat: every sample lifecycle, state, event and kind of user who can log in.

A conversation for each state and user, in which the model calls every tool that the table does not allow there.
"""

from __future__ import annotations

from typing import Any

import pytest

from fsm_lifecycle.admin.agents import limits
from fsm_lifecycle.agents import Budget, registry
from fsm_lifecycle.agents.providers.scripted import call
from fsm_lifecycle.dispatch import work_off
from fsm_lifecycle.models import AgentEvent, AgentRun, RefusedAttempt
from tests.admin.agents.conftest import permitted
from tests.agents.core.desk import declared, refusals, state_of
from tests.agents.core.test_bounded_autonomy import MODELS, Asker, askers, expected, given, made

pytestmark = [pytest.mark.once, pytest.mark.slow, pytest.mark.django_db]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_what_the_table_does_not_allow_is_refused_and_on_record(
    model: Any, browsing: Any, says: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(limits.A_MINUTE, "chat", 10**6)
    free = dict.fromkeys(model.lifecycle.events, "never")
    tried = 0
    with declared(lifecycle=model, approval=free, budget=Budget(turns=None, tool_calls=None)) as agent:
        profile = registry.of(agent)
        tools = profile.names.events(0)
        path = f"/admin/lifecycle/{model._meta.label_lower}/agent/chat/?agent={profile.key}"
        for asker in askers(model):
            if not asker.active:
                continue  # nobody logs in
            client = browsing(asker.user if asker.user.is_superuser else permitted(asker.user, "use_agents"))
            for state in model.lifecycle.states:
                record = made(model, state, 1 + tried)
                wrong = denied(asker, model, state)
                here = {"id": str(record.pk), "expected_state": state}
                says(
                    *(call(tools[name], **here, **given(model.lifecycle.events[name])) for name in wrong),
                    "I tried everything.",
                )
                assert client.post(path, {"do": "send", "prompt": "Try everything."}).status_code == 302
                work_off()
                run = AgentRun.objects.latest("pk")
                assert (run.status, run.answer) == ("done", "I tried everything."), (asker.name, state)
                events = AgentEvent.objects.filter(run=run, kind="tool_result").order_by("seq")
                results = [event.payload["result"] for event in events]
                assert {result["success"] for result in results} == {False}
                assert [result["code"] for result in results] == list(wrong.values()), (asker.name, state)
                assert state_of(record) == state
                assert record.log.count() == 1
                assert [name for name, _ in refusals(record)] == list(wrong)
                on_record = RefusedAttempt.objects.filter(object_pk=str(record.pk))
                assert set(on_record.values_list("surface", flat=True)) == {"chat"}
                tried += len(wrong)
    assert tried > 50


def denied(asker: Asker, model: Any, state: str) -> dict[str, str]:
    """Every event that is not for this user in this state, and the code of its refusal."""
    events = model.lifecycle.events.items()
    return {name: code for name, event in events if (code := expected(asker, model, state, event))}
