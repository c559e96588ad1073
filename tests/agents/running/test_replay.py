"""A recorded run, played again against a fresh database, gives the same log but for what cannot be the same."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone

from fsm_lifecycle.access import grant_role
from fsm_lifecycle.agents.message import AgentMessage
from fsm_lifecycle.agents.run import AgentRun
from fsm_lifecycle.agents.runs import run_to_the_end
from fsm_lifecycle.models import TransitionLog
from sample_project.billing.models import Invoice
from tests.acting import rolled_back
from tests.fakes import FakeAnthropic, Turn, calls, calls_many, says
from tests.sample.making import SETUP, an_invoice

pytestmark = pytest.mark.django_db

ALICE, FIRST, SECOND = 7001, 8001, 8002


def a_fresh_start() -> Any:
    """A user and two invoices past their due date, the same each time."""
    alice = get_user_model().objects.create_user("alice", pk=ALICE)
    grant_role(alice, "clerk", on=Invoice, by=SETUP)
    for key in (FIRST, SECOND):
        invoice = an_invoice(alice, f"2026-{key}", pk=key)
        invoice.fire("send_invoice", actor=alice)
        Invoice.objects.filter(pk=key).update(due_on=timezone.localdate() - timedelta(days=40))
    return alice


def told(entry: TransitionLog) -> dict[str, Any]:
    """What an entry says, but for times, salts, the run's id and hashes."""
    fields: dict[str, Any] = {name: field.value for name, field in entry.fields.items()}
    fields.get("run", {}).pop("id", None)
    fields.pop("idempotency_key", None)  # made from the run's id
    return {
        "record": (entry.model_label, entry.object_pk, entry.sequence),
        "what": (entry.kind, entry.event, entry.from_state, entry.to_state),
        "who": (entry.actor_kind, entry.actor_id),
        "fields": fields,
    }


def log() -> list[dict[str, Any]]:
    return [told(entry) for entry in TransitionLog.objects.order_by("model_label", "object_pk", "sequence")]


def recorded(run: AgentRun) -> list[Turn]:
    """What the model said in a run, from its rows."""
    turns = []
    for message in AgentMessage.objects.filter(run=run, role="assistant").order_by("seq"):
        calling = any(block["type"] == "tool_use" for block in message.content)
        turns.append(Turn(blocks=tuple(message.content), stop_reason="tool_use" if calling else "end_turn"))
    return turns


def test_a_recorded_run_gives_the_same_entries_again(fake: FakeAnthropic, chaser: Any) -> None:
    mark = {"id": str(FIRST), "expected_state": "sent"}
    cancel = {"id": str(SECOND), "expected_state": "sent", "reason": "The order was withdrawn."}
    refused = {"id": str(SECOND), "expected_state": "draft"}
    marking = calls("mark_overdue_invoice", mark, saying="Now.")
    with rolled_back():
        fake.script += [
            marking.cut(6),
            calls_many(("get_invoice", {"id": str(FIRST)}), ("list_invoices", {})),
            marking,
            calls("mark_overdue_invoice", refused),
            calls("cancel_invoice", cancel),
            says("One is overdue, one is cancelled."),
        ]
        first = run_to_the_end(chaser, "Tidy up", user=a_fresh_start())
        assert first.status == "done"
        before, turns, results = log(), recorded(first), _results(first)
    assert TransitionLog.objects.count() == 0
    fake.script += turns
    second = run_to_the_end(chaser, "Tidy up", user=a_fresh_start())
    assert second.answer == first.answer
    assert second.tool_calls == first.tool_calls == 5
    assert log() == before
    assert sum(one["what"][1] in ("mark_overdue", "cancel") for one in before) == 2
    assert [set(one) for one in _results(second)] == [set(one) for one in results]


def _results(run: AgentRun) -> list[dict[str, Any]]:
    rows = run.events.filter(kind="tool_result").order_by("seq")
    return [row.payload["result"] for row in rows]
